/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From guest memory into a 2D resource. */
#include "device/gpu/memory/memory.h"

uint32_t vgpu_gpu_transfer_to_host_2d(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_transfer_to_host_2d *transfer = &call->transfer;
	const struct vgpu_gpu_rect *rect = &transfer->rect;
	uint32_t slot = vgpu_gpu_slot_find(gpu, transfer->resource_id);
	const struct vgpu_gpu_state_resource *resource;
	uint64_t stride, row_bytes, span, end, rows;
	struct vgpu_gpu_walk walk;
	uint8_t *to;

	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	resource = &gpu->state->resource[slot];
	/* A blob's pixels are the guest's own; Linux transfers them all the
	 * same when they are behind a dumb buffer. */
	if (resource->kind != VGPU_GPU_KIND_2D)
		return VGPU_GPU_OK_NODATA;

	if (rect->width > resource->width || rect->height > resource->height ||
	    rect->x > resource->width - rect->width ||
	    rect->y > resource->height - rect->height)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (!resource->backing)
		return VGPU_GPU_ERR_UNSPEC;
	if (rect->width == 0 || rect->height == 0)
		return VGPU_GPU_OK_NODATA;

	/* The guest's rows lie as far apart as the resource is wide. Products
	 * of sides no greater than VGPU_GPU_SIDE_MAX. */
	stride = (uint64_t)resource->width * 4;
	row_bytes = (uint64_t)rect->width * 4;
	span = (rect->height - 1) * stride + row_bytes;
	if (!vgpu_checked_add(transfer->offset, span, &end) ||
	    end > gpu->slot[slot].backing_bytes)
		return VGPU_GPU_ERR_INVALID_PARAMETER;

	to = vgpu_gpu_storage_map(gpu, resource->storage);
	if (!to)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	to += rect->y * stride + (uint64_t)rect->x * 4;
	rows = rect->height;
	if (row_bytes == stride) {
		row_bytes *= rows;
		rows = 1;
	}
	vgpu_gpu_walk_init(&walk, gpu, slot);
	for (uint64_t row = 0; row < rows; row++)
		if (!vgpu_gpu_walk_copy(&walk, transfer->offset + row * stride,
					to + row * stride, row_bytes))
			return VGPU_GPU_ERR_UNSPEC;
	return VGPU_GPU_OK_NODATA;
}
