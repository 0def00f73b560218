/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to a render process: sent if they fit into the socket, else kept. */
#ifndef VGPU_DEVICE_RENDER_OUTBOX_H
#define VGPU_DEVICE_RENDER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "render/abi.h"

/*
 * What a guest can have waiting for its context, with the memfds that are too
 * large for a packet. A ring's worth of commands many times over: only a guest
 * that never waits for anything gets there.
 */
#define VGPU_RENDER_QUEUE_BYTES_MAX   (16UL * 1024 * 1024)
#define VGPU_RENDER_QUEUE_PACKETS_MAX 4096U
/* A memfd with commands counts as that large at least. */
#define VGPU_RENDER_BULK_BYTES_MIN (1UL * 1024 * 1024)

struct vgpu_host_memory;
struct vgpu_render_packet;
STAILQ_HEAD(vgpu_render_packets, vgpu_render_packet);

struct vgpu_render_outbox {
	int socket; /* not ours; -1: there is none yet */
	struct vgpu_render_packets packets;
	size_t n_packets;
	size_t bytes;
	/* A memfd with commands is not taken in yet; the next one waits. */
	bool is_bulk_out;
	bool is_held; /* nothing is sent now */
	struct vgpu_host_memory *host_memory;
};

struct vgpu_render_parcel {
	struct vgpu_render_message message;
	const void *body;
	size_t body_bytes;
	const int *fds; /* not ours; they stay open until it is sent */
	uint32_t n_fds;
	/* These are on the packet's own account: it closes it when sent. */
	int own_fd;	  /* -1 for none, else the only one */
	size_t own_bytes; /* not 0: see is_bulk_out */
	bool is_ours;	  /* no guest made us say it: it is charged to none */
};

/* @host_memory, if any, is charged for packets that wait, not for their fds. */
void vgpu_render_outbox_init(struct vgpu_render_outbox *outbox, int socket,
			     struct vgpu_host_memory *host_memory);
void vgpu_render_outbox_finish(struct vgpu_render_outbox *outbox);
/*
 * Send or keep; own_fd is taken over in any case. Returns 0, -ENOBUFS if too
 * much waits, -EPIPE if the other side is gone, another -errno.
 */
int vgpu_render_outbox_put(struct vgpu_render_outbox *outbox,
			   const struct vgpu_render_parcel *parcel);
/*
 * Send, or return -EAGAIN if it would have to be kept. own_fd is taken over in
 * any case.
 */
int vgpu_render_outbox_try(struct vgpu_render_outbox *outbox,
			   const struct vgpu_render_parcel *parcel);
/* Send what fits now. Returns 0 or -errno. */
int vgpu_render_outbox_flush(struct vgpu_render_outbox *outbox);
/* Whether it waits for room in the socket. */
bool vgpu_render_outbox_wants_room(const struct vgpu_render_outbox *outbox);

#endif
