/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 2D resources: pixels in the framebuffer. */
#include "device/gpu/memory/memory.h"

bool vgpu_gpu_2d_bytes(uint32_t format, uint32_t width, uint32_t height,
		       uint64_t *ret_bytes)
{
	if (!vgpu_gpu_format_order(format))
		return false;
	if (width == 0 || width > VGPU_GPU_SIDE_MAX || height == 0 ||
	    height > VGPU_GPU_SIDE_MAX)
		return false;
	*ret_bytes = (uint64_t)width * height * 4;
	return true;
}

/* Create the resource on allocation @storage, which has all its pages. */
static uint32_t finish_2d(struct vgpu_gpu *gpu,
			  const struct vgpu_gpu_resource_create_2d *create,
			  uint64_t storage)
{
	struct vgpu_gpu_state_resource *resource;
	uint32_t slot = vgpu_gpu_slot_get(gpu);

	if (slot == VGPU_GPU_NO_SLOT) {
		vgpu_gpu_storage_put(gpu, storage);
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	}
	resource = &gpu->state->resource[slot];
	resource->kind = VGPU_GPU_KIND_2D;
	resource->format = create->format;
	resource->width = create->width;
	resource->height = create->height;
	vgpu_gpu_2d_bytes(create->format, create->width, create->height,
			  &resource->bytes);
	resource->storage = storage;
	vgpu_gpu_slot_put(gpu, slot, create->resource_id);
	return VGPU_GPU_OK_NODATA;
}

static void on_filled(void *opaque, int status)
{
	struct vgpu_gpu_pending *pending = opaque;
	struct vgpu_gpu *gpu = pending->gpu;
	uint32_t answer = VGPU_GPU_ERR_OUT_OF_MEMORY;

	if (status == 0)
		answer = finish_2d(gpu, &pending->call.create_2d,
				   pending->storage);
	else
		vgpu_gpu_storage_put(gpu, pending->storage);
	vgpu_gpu_finish(gpu, &gpu->pendings, pending, answer);
	vgpu_gpu_run_waiting(gpu);
}

static void cancel_2d(struct vgpu_gpu *gpu, struct vgpu_gpu_pending *pending)
{
	if (!vgpu_fill_is_active(&pending->fill))
		return;
	vgpu_fill_cancel(&pending->fill);
	vgpu_gpu_storage_put(gpu, pending->storage);
}

/* Give it its pages; other requests run meanwhile if it is large. */
static uint32_t fill_2d(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			uint64_t bytes, uint64_t storage)
{
	const struct vgpu_gpu_resource_create_2d create = call->create_2d;
	struct vgpu_gpu_pending *pending = vgpu_gpu_park_running(gpu, call);
	int r = -ENOMEM;

	if (pending) {
		pending->gpu = gpu;
		pending->storage = storage;
		pending->cancel = cancel_2d;
		pending->fill = (struct vgpu_fill){.filled = on_filled,
						   .opaque = pending};
		r = vgpu_reserve_fill(gpu->config.reserve, &pending->fill,
				      vgpu_gpu_storage_fd(gpu, storage),
				      vgpu_gpu_storage_bytes(bytes),
				      /* is_new= */ true);
		if (r > 0)
			return VGPU_GPU_LATER;
		vgpu_gpu_unpark(gpu, call, pending);
	}
	if (r == 0)
		return finish_2d(gpu, &create, storage);
	vgpu_gpu_storage_put(gpu, storage);
	return VGPU_GPU_ERR_OUT_OF_MEMORY;
}

uint32_t vgpu_gpu_resource_create_2d(struct vgpu_gpu *gpu,
				     struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_resource_create_2d *create = &call->create_2d;
	const struct vgpu_gpu_state_resource *resource;
	uint64_t bytes, storage;

	if (create->resource_id == 0)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	resource = vgpu_gpu_resource_find(gpu, create->resource_id);
	if (resource) {
		if (call->is_retry && resource->kind == VGPU_GPU_KIND_2D &&
		    resource->format == create->format &&
		    resource->width == create->width &&
		    resource->height == create->height)
			return VGPU_GPU_OK_NODATA;
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	}
	if (!vgpu_gpu_2d_bytes(create->format, create->width, create->height,
			       &bytes))
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (vgpu_gpu_storage_take(gpu, bytes, &storage) < 0)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	return fill_2d(gpu, call, bytes, storage);
}
