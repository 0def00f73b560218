/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursor of each head: its picture is taken when the guest sets it. */
#include "device/gpu/display/display.h"

#include <string.h>

#include "device/gpu/memory/memory.h"

const uint32_t *vgpu_gpu_cursor_of(const struct vgpu_gpu *gpu, uint32_t head,
				   struct vgpu_viewer_cursor *ret_cursor)
{
	const struct vgpu_gpu_state_head *at = &gpu->state->head[head];
	uint64_t position = at->cursor_position;
	uint32_t in_use = at->cursor_in_use;

	if (!in_use)
		return NULL;
	*ret_cursor = (struct vgpu_viewer_cursor){
		.x = (int32_t)(uint32_t)(position >> 32),
		.y = (int32_t)(uint32_t)position,
		.hot_x = at->cursor[in_use - 1].hot_x,
		.hot_y = at->cursor[in_use - 1].hot_y,
	};
	return gpu->state->cursor[head][in_use - 1];
}

static void move_cursor(struct vgpu_gpu *gpu,
			const struct vgpu_gpu_cursor_request *request)
{
	vgpu_gpu_commit(&gpu->state->head[request->scanout_id].cursor_position,
			(uint64_t)request->x << 32 | request->y);
}

uint32_t vgpu_gpu_move_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	if (call->cursor.scanout_id >= gpu->config.heads)
		return VGPU_GPU_ERR_INVALID_SCANOUT_ID;
	move_cursor(gpu, &call->cursor);
	vgpu_gpu_cursor_moved(gpu, call->cursor.scanout_id);
	return VGPU_GPU_OK_NODATA;
}

static uint32_t take_picture(struct vgpu_gpu *gpu, uint32_t slot, uint32_t *to)
{
	const struct vgpu_gpu_state_resource *resource;
	const uint32_t bytes = VGPU_GPU_CURSOR_PIXELS * 4;
	struct vgpu_gpu_walk walk;
	const uint8_t *pixels;

	resource = &gpu->state->resource[slot];
	if (resource->kind == VGPU_GPU_KIND_2D) {
		if (resource->width != VGPU_GPU_CURSOR_SIDE ||
		    resource->height != VGPU_GPU_CURSOR_SIDE)
			return VGPU_GPU_ERR_INVALID_PARAMETER;
		pixels = vgpu_gpu_storage_map(gpu, resource->storage);
		if (!pixels)
			return VGPU_GPU_ERR_OUT_OF_MEMORY;
		vgpu_pixels_to_argb(to, (const uint32_t *)pixels,
				    VGPU_GPU_CURSOR_PIXELS,
				    vgpu_gpu_format_order(resource->format));
		return VGPU_GPU_OK_NODATA;
	}
	/* A blob has no format; cursors are B8G8R8A8, rows without a gap. */
	if (resource->bytes < bytes || resource->kind == VGPU_GPU_KIND_SHARED)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (resource->kind == VGPU_GPU_KIND_MEMORY) {
		pixels = vgpu_gpu_storage_map(gpu, resource->storage);
		if (!pixels)
			return VGPU_GPU_ERR_OUT_OF_MEMORY;
		memcpy(to, pixels, bytes);
		return VGPU_GPU_OK_NODATA;
	}
	vgpu_gpu_walk_init(&walk, gpu, slot);
	return vgpu_gpu_walk_copy(&walk, 0, to, bytes) ? VGPU_GPU_OK_NODATA
						       : VGPU_GPU_ERR_UNSPEC;
}

uint32_t vgpu_gpu_update_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_cursor_request *update = &call->cursor;
	uint32_t head = update->scanout_id;
	struct vgpu_gpu_state_head *at;
	uint32_t slot, next, answer;

	if (head >= gpu->config.heads)
		return VGPU_GPU_ERR_INVALID_SCANOUT_ID;
	at = &gpu->state->head[head];
	if (update->resource_id == 0) {
		vgpu_gpu_commit(&at->cursor_in_use, 0u);
		vgpu_gpu_cursor_changed(gpu, head);
		return VGPU_GPU_OK_NODATA;
	}
	slot = vgpu_gpu_slot_find(gpu, update->resource_id);
	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;

	next = at->cursor_in_use == 1 ? 2 : 1;
	answer = take_picture(gpu, slot, gpu->state->cursor[head][next - 1]);
	if (answer != VGPU_GPU_OK_NODATA)
		return answer;
	/* A hot spot off the picture is of no use to a viewer. */
	at->cursor[next - 1].hot_x =
		VGPU_MIN(update->hot_x, VGPU_GPU_CURSOR_SIDE - 1u);
	at->cursor[next - 1].hot_y =
		VGPU_MIN(update->hot_y, VGPU_GPU_CURSOR_SIDE - 1u);
	move_cursor(gpu, update);
	vgpu_gpu_commit(&at->cursor_in_use, next);
	vgpu_gpu_cursor_changed(gpu, head);
	return VGPU_GPU_OK_NODATA;
}
