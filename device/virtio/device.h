/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device: queues on one side, the device model on the other. */
#ifndef VGPU_DEVICE_VIRTIO_DEVICE_H
#define VGPU_DEVICE_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/gpu/gpu.h"
#include "device/slots.h"
#include "device/state_abi.h"
#include "device/virtio/memory.h"
#include "device/virtio/model.h"
#include "lib/err.h"

struct vgpu_virtio;

/* What the virtio device tells its owner. All but interrupt are required. */
struct vgpu_virtio_ops {
	/* The guest broke a rule; @text says which. */
	void (*fault)(void *opaque, const char *text);
	void (*config_changed)(void *opaque);
	void (*status_changed)(void *opaque);
	/* A queue that vgpu_virtio_stop() waits for has no request left. */
	void (*drained)(void *opaque);
	/* As in struct vgpu_gpu_transport_ops. */
	int (*window_map)(void *opaque, uint64_t cookie,
			  const struct vgpu_gpu_mapping *mapping);
	int (*window_unmap)(void *opaque, uint64_t cookie,
			    const struct vgpu_gpu_mapping *mapping);
	void (*window_resume)(void *opaque,
			      const struct vgpu_gpu_mapping *mapping);
	void (*window_forget)(void *opaque);
	void (*console_over)(void *opaque);
	/* Interrupt the guest for queue @index; NULL: by the fd in its slot. */
	void (*interrupt)(void *opaque, uint32_t index);
};

struct vgpu_virtio_config {
	struct vgpu_gpu_config gpu;
	/* If there is one it is in the gpu's place, and outlives the device. */
	const struct vgpu_model_ops *model;
	void *model_opaque;
};

/*
 * A device on @state, with @slots' fds; all of them stay the caller's and
 * outlive it. Nothing runs before vgpu_virtio_resume() or _start().
 */
int vgpu_virtio_create(sd_event *event, struct vgpu_state *state,
		       struct vgpu_slots *slots,
		       const struct vgpu_virtio_config *config,
		       const struct vgpu_virtio_ops *ops, void *opaque,
		       struct vgpu_virtio **ret_virtio, struct vgpu_err *err);
void vgpu_virtio_destroy(struct vgpu_virtio *virtio); /* NULL is fine */

/* NULL if the model is another. */
struct vgpu_gpu *vgpu_virtio_gpu(struct vgpu_virtio *virtio);
/* Config space; beyond what the model has it reads as zero. */
void vgpu_virtio_config_read(struct vgpu_virtio *virtio,
			     uint8_t ret_space[VGPU_MODEL_CONFIG_MAX]);
/* -EINVAL for a write beyond it. */
int vgpu_virtio_config_write(struct vgpu_virtio *virtio, uint32_t offset,
			     const uint8_t *data, uint32_t size);
struct vgpu_memory *vgpu_virtio_memory(struct vgpu_virtio *virtio);

uint64_t vgpu_virtio_features(const struct vgpu_virtio *virtio);
void vgpu_virtio_set_features(struct vgpu_virtio *virtio, uint64_t features);

/* Guest memory or the addresses of a ring changed: find the rings again. */
void vgpu_virtio_resolve(struct vgpu_virtio *virtio);
/* True if the ring of @index lies in guest memory, as a ring must. */
bool vgpu_virtio_is_resolved(const struct vgpu_virtio *virtio, uint32_t index);

/*
 * Before the first start of queue @index: the requests from the first one on
 * that nobody has answered are to be fetched. Its ring is in guest memory.
 */
void vgpu_virtio_join(struct vgpu_virtio *virtio, uint32_t index);

/* The kick fd of a queue is about to be replaced: poll it no more. */
void vgpu_virtio_unhook(struct vgpu_virtio *virtio, uint32_t index);
/*
 * Start queue @index, with the kick fd in its slot, or by polling if there is
 * none. -EINVAL if its ring is not in guest memory or the fd cannot be polled.
 */
int vgpu_virtio_start(struct vgpu_virtio *virtio, uint32_t index);
/*
 * Stop queue @index. -EAGAIN if requests are still in flight: ops->drained()
 * says when to try again. Those that wait for the window, which can change
 * while the queue runs only, are not waited for: they are answered when it
 * runs again, and forgotten by a reset.
 */
int vgpu_virtio_stop(struct vgpu_virtio *virtio, uint32_t index);
/* Answer with an error what is in flight in @index, a stopped queue. */
void vgpu_virtio_abandon(struct vgpu_virtio *virtio, uint32_t index);
/* True if the guest's requests of queue @index are fetched. */
bool vgpu_virtio_is_running(const struct vgpu_virtio *virtio, uint32_t index);
/* Look at queue @index now: it was enabled, or the model is ready for it. */
void vgpu_virtio_run(struct vgpu_virtio *virtio, uint32_t index);

/* The device model as new, its features aside. */
void vgpu_virtio_reset_model(struct vgpu_virtio *virtio);
/* All queues stopped, nothing in flight, the device model as new. */
void vgpu_virtio_reset(struct vgpu_virtio *virtio);
/*
 * Go on where a predecessor was killed: each queue does when it is run next,
 * which the caller sees to with vgpu_virtio_run().
 */
void vgpu_virtio_resume(struct vgpu_virtio *virtio);

#endif
