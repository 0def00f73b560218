/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the virtio device share. */
#ifndef VGPU_DEVICE_VIRTIO_INTERNAL_H
#define VGPU_DEVICE_VIRTIO_INTERNAL_H

#include "device/virtio/device.h"
#include "device/virtio/model.h"
#include "device/virtio/queue.h"

struct vgpu_ring {
	struct vgpu_queue queue;
	struct vgpu_virtio *virtio;
	sd_event_source *kick;
	sd_event_source *poll;	/* in place of a kick fd */
	sd_event_source *again; /* the budget was used up */
	bool is_draining;
	bool must_resume; /* a predecessor may have left requests in flight */
};

struct vgpu_virtio {
	sd_event *event;
	struct vgpu_state *state;
	struct vgpu_slots *slots;
	struct vgpu_memory *memory;
	struct vgpu_gpu *gpu; /* NULL: the model is another */
	const struct vgpu_model_ops *model;
	void *model_opaque;
	const struct vgpu_virtio_ops *ops;
	void *opaque;
	struct vgpu_ring ring[VGPU_STATE_QUEUES];
	struct vgpu_queue_request *free;
	unsigned int n_free;
	unsigned int n_busy; /* requests that point into guest memory */
	bool is_in_batch;    /* the guest is told when the batch is over */
};

/* Answer @request with @written bytes. (device.c) */
void vgpu_virtio_complete(struct vgpu_virtio *virtio,
			  struct vgpu_gpu_request *request, size_t written);

/* Have a virtio-gpu behind the queues. (gpu.c) */
int vgpu_virtio_make_gpu(struct vgpu_virtio *virtio,
			 const struct vgpu_gpu_config *config,
			 struct vgpu_err *err);

#endif
