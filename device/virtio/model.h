/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind the queues: the vGPU itself, or an input device of it. */
#ifndef VGPU_DEVICE_VIRTIO_MODEL_H
#define VGPU_DEVICE_VIRTIO_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "device/gpu/gpu.h"
#include "device/state_abi.h"

/* Config space, beyond which nothing is read or written. */
#define VGPU_MODEL_CONFIG_MAX 256

/* From execute(): the model answers by itself, now or later. */
#define VGPU_MODEL_ANSWERS ((ssize_t) - 1)

/*
 * All are required, but for is_ready and count_held. @model is the
 * model_opaque of struct vgpu_virtio_config.
 */
struct vgpu_model_ops {
	const char *queue_name[VGPU_STATE_QUEUES];
	/* Device feature bits; the transport adds its own. */
	uint64_t (*features)(void *model);
	void (*set_features)(void *model, uint64_t features);
	/* Fill in @space, which is zeroed. */
	void (*config_read)(void *model, uint8_t space[VGPU_MODEL_CONFIG_MAX]);
	/* -EINVAL for a write beyond the config space. */
	int (*config_write)(void *model, uint32_t offset, const uint8_t *data,
			    uint32_t size);
	/*
	 * Whether a request of @queue would be answered now: if not, it is left
	 * in the ring, until vgpu_virtio_run(). NULL: always.
	 */
	bool (*is_ready)(void *model, uint32_t queue);
	/* Bytes written, or VGPU_MODEL_ANSWERS. */
	ssize_t (*execute)(void *model, uint32_t queue,
			   struct vgpu_gpu_request *request);
	/* Bytes written to say that @request is not executed. */
	size_t (*refuse)(void *model, const struct vgpu_gpu_request *request);
	/*
	 * Requests of the first queue in flight that need not end before it
	 * stops. NULL: none.
	 */
	uint32_t (*count_held)(void *model);
	/* What a predecessor left in the first queue was executed. */
	void (*resumed)(void *model);
	void (*reset)(void *model);
};

#endif
