/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One split virtqueue (virtio 1.3, 2.7) seen from the device. */
#ifndef VGPU_DEVICE_VIRTIO_QUEUE_H
#define VGPU_DEVICE_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "device/gpu/gpu.h"
#include "device/state_abi.h"
#include "device/virtio/memory.h"

/* Descriptors in one chain, those of an indirect table included. */
#define VGPU_CHAIN_MAX 1024
/* A descriptor can go over the seam of two regions. */
#define VGPU_CHAIN_PARTS_MAX (VGPU_CHAIN_MAX + VGPU_SLOT_MEMORY_MAX)

struct vring_desc;
struct vring_avail;
struct vring_used;

struct vgpu_queue {
	struct vgpu_state_queue *state;
	struct vgpu_memory *memory;
	/* In guest memory; NULL while the ring's addresses are not all there */
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	bool has_event_idx;
	bool has_indirect;
	/* `answered` when the guest was last told, if it ever was */
	uint64_t notified;
	bool must_notify;
	/* Counts resets: a request of an earlier count is forgotten. */
	uint32_t life;
	uint32_t in_flight;
};

/* A request on its way through the device model. */
struct vgpu_queue_request {
	struct vgpu_gpu_request gpu;
	struct vgpu_queue *queue;
	struct vgpu_queue_request *next; /* among the free ones */
	uint32_t life;
	uint16_t head;
	struct iovec part[VGPU_CHAIN_PARTS_MAX];
};

/* Find the ring in guest memory. False if it is not all in there. */
bool vgpu_queue_resolve(struct vgpu_queue *queue);
/* True if requests may be fetched. */
bool vgpu_queue_is_running(const struct vgpu_queue *queue);

/*
 * Fetch the next request into @request: 1, 0 if there is none, or -EPROTO
 * with *ret_fault saying what the guest did wrong.
 */
int vgpu_queue_fetch(struct vgpu_queue *queue,
		     struct vgpu_queue_request *request, const char **ret_fault);
/* Read again the chain of a request that is in flight, by its head. */
int vgpu_queue_fetch_again(struct vgpu_queue *queue, uint16_t head,
			   struct vgpu_queue_request *request,
			   const char **ret_fault);
/* Put the request of @head into the used ring. */
void vgpu_queue_answer(struct vgpu_queue *queue, uint16_t head, uint32_t written);
/* Finish what a predecessor was killed in. */
void vgpu_queue_recover(struct vgpu_queue *queue);

/* Suppress kicks while the queue is polled anyway. */
void vgpu_queue_quiet(struct vgpu_queue *queue);
/* Enable kicks again. True if requests came meanwhile. */
bool vgpu_queue_listen(struct vgpu_queue *queue);
/* True, once, if the guest wants a signal for the answers. */
bool vgpu_queue_wants_call(struct vgpu_queue *queue);

/* chain.c */
/*
 * Copy what a request begins with, at most @bytes, out of or into guest memory.
 * Returns how many bytes there were.
 */
size_t vgpu_chain_copy_out(const struct vgpu_gpu_request *request, void *to,
			   size_t bytes);
size_t vgpu_chain_copy_in(const struct vgpu_gpu_request *request,
			  const void *from, size_t bytes);
/* Read the chain that begins at @head. 0, or -EPROTO with *ret_fault. */
int vgpu_chain_read(struct vgpu_queue *queue, uint16_t head,
		    struct vgpu_queue_request *request, const char **ret_fault);

#endif
