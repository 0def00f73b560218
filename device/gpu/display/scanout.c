/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scanouts: the part of a resource that a head shows, and flushes of it. */
#include "device/gpu/display/display.h"

#include "device/gpu/memory/memory.h"

const struct vgpu_gpu_state_view *vgpu_gpu_view_of(const struct vgpu_gpu *gpu,
						   uint32_t head)
{
	const struct vgpu_gpu_state_head *at = &gpu->state->head[head];

	return at->view_in_use ? &at->view[at->view_in_use - 1] : NULL;
}

/* True if @rect is not empty and lies in @width x @height. */
static bool is_inside(const struct vgpu_gpu_rect *rect, uint32_t width,
		      uint32_t height)
{
	return rect->width > 0 && rect->height > 0 && rect->width <= width &&
	       rect->height <= height && rect->x <= width - rect->width &&
	       rect->y <= height - rect->height;
}

static bool is_visible_blob(uint32_t kind)
{
	return kind == VGPU_GPU_KIND_BLOB || kind == VGPU_GPU_KIND_MEMORY;
}

uint32_t vgpu_gpu_view_check(struct vgpu_gpu *gpu,
			     const struct vgpu_gpu_state_view *view, bool is_blob)
{
	const struct vgpu_gpu_state_resource *resource;
	uint64_t end;

	resource = vgpu_gpu_resource_find(gpu, view->resource_id);
	if (!resource || (is_blob ? !is_visible_blob(resource->kind)
				  : resource->kind != VGPU_GPU_KIND_2D))
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	/* The type says how large a head can be. */
	if (view->rect.width > gpu->config.max_width ||
	    view->rect.height > gpu->config.max_height)
		return VGPU_GPU_ERR_INVALID_PARAMETER;

	if (!is_blob)
		return is_inside(&view->rect, resource->width, resource->height)
			       ? VGPU_GPU_OK_NODATA
			       : VGPU_GPU_ERR_INVALID_PARAMETER;

	if (!vgpu_gpu_format_order(view->format) || view->width == 0 ||
	    view->width > VGPU_GPU_SIDE_MAX || view->height == 0 ||
	    view->height > VGPU_GPU_SIDE_MAX ||
	    view->stride_bytes < view->width * 4)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (!is_inside(&view->rect, view->width, view->height))
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	/* A side of 14 bits times a stride of 32: far below 64. */
	end = (uint64_t)view->offset +
	      (uint64_t)(view->height - 1) * view->stride_bytes +
	      (uint64_t)view->width * 4;
	return end <= resource->bytes ? VGPU_GPU_OK_NODATA
				      : VGPU_GPU_ERR_INVALID_PARAMETER;
}

void vgpu_gpu_scanout_off(struct vgpu_gpu *gpu, uint32_t head)
{
	struct vgpu_gpu_state_head *at = &gpu->state->head[head];

	if (!at->view_in_use)
		return;
	vgpu_gpu_commit(&at->view_in_use, 0u);
	vgpu_gpu_picture_changed(gpu, head);
	vgpu_gpu_replug_off(gpu, head);
}

void vgpu_gpu_scanouts_forget(struct vgpu_gpu *gpu, uint32_t resource_id)
{
	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		const struct vgpu_gpu_state_view *view;

		view = vgpu_gpu_view_of(gpu, head);
		if (view && view->resource_id == resource_id)
			vgpu_gpu_scanout_off(gpu, head);
	}
}

static uint32_t show_view(struct vgpu_gpu *gpu, uint32_t head, bool is_blob,
			  const struct vgpu_gpu_state_view *view)
{
	struct vgpu_gpu_state_head *at;
	uint32_t old_width, old_height, next, answer;
	bool was_off;

	if (head >= gpu->n_scanouts)
		return VGPU_GPU_ERR_INVALID_SCANOUT_ID;
	if (view->resource_id == 0) {
		vgpu_gpu_scanout_off(gpu, head);
		return VGPU_GPU_OK_NODATA;
	}
	/* Without heads, the one scanout can only be disabled. */
	if (head >= gpu->config.heads)
		return VGPU_GPU_ERR_INVALID_SCANOUT_ID;
	answer = vgpu_gpu_view_check(gpu, view, is_blob);
	if (answer != VGPU_GPU_OK_NODATA)
		return answer;

	at = &gpu->state->head[head];
	was_off = !at->view_in_use;
	vgpu_gpu_picture_size(gpu, head, &old_width, &old_height);
	next = at->view_in_use == 1 ? 2 : 1;
	at->view[next - 1] = *view;
	vgpu_gpu_commit(&at->view_in_use, next);

	/*
	 * After a flip to a buffer of the same size a flush follows: viewers
	 * are sent only what that says is new.
	 */
	if (was_off || view->rect.width != old_width ||
	    view->rect.height != old_height)
		vgpu_gpu_picture_changed(gpu, head);
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_set_scanout(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_set_scanout *set = &call->set_scanout;

	return show_view(gpu, set->scanout_id, /* is_blob= */ false,
			 &(struct vgpu_gpu_state_view){
				 .resource_id = set->resource_id,
				 .rect = set->rect,
			 });
}

uint32_t vgpu_gpu_set_scanout_blob(struct vgpu_gpu *gpu,
				   struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_set_scanout_blob *set = &call->set_scanout_blob;

	/* All formats have one plane. */
	return show_view(gpu, set->scanout_id, /* is_blob= */ true,
			 &(struct vgpu_gpu_state_view){
				 .resource_id = set->resource_id,
				 .rect = set->rect,
				 .format = set->format,
				 .width = set->width,
				 .height = set->height,
				 .stride_bytes = set->strides[0],
				 .offset = set->offsets[0],
			 });
}

/*
 * Report the visible part of @rect, which is in the resource's coordinates, as
 * damage of the head.
 */
static void damage_head(struct vgpu_gpu *gpu, uint32_t head,
			const struct vgpu_gpu_rect *shown,
			const struct vgpu_gpu_rect *rect)
{
	/* In 64 bits, for the rectangle is the guest's. */
	uint64_t left = VGPU_MAX(shown->x, rect->x);
	uint64_t top = VGPU_MAX(shown->y, rect->y);
	uint64_t right = VGPU_MIN((uint64_t)shown->x + shown->width,
				  (uint64_t)rect->x + rect->width);
	uint64_t bottom = VGPU_MIN((uint64_t)shown->y + shown->height,
				   (uint64_t)rect->y + rect->height);

	if (left < right && top < bottom)
		vgpu_gpu_damage_head(gpu, head,
				     &(struct vgpu_gpu_rect){
					     .x = (uint32_t)(left - shown->x),
					     .y = (uint32_t)(top - shown->y),
					     .width = (uint32_t)(right - left),
					     .height = (uint32_t)(bottom - top),
				     });
}

uint32_t vgpu_gpu_resource_flush(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_rect *rect = &call->flush.rect;
	const struct vgpu_gpu_state_resource *resource;
	uint32_t heads = 0;

	resource = vgpu_gpu_resource_find(gpu, call->flush.resource_id);
	if (!resource)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	/* A blob has no size in pixels but in what shows it. */
	if (resource->kind == VGPU_GPU_KIND_2D &&
	    (rect->width > resource->width || rect->height > resource->height ||
	     rect->x > resource->width - rect->width ||
	     rect->y > resource->height - rect->height))
		return VGPU_GPU_ERR_INVALID_PARAMETER;

	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		const struct vgpu_gpu_state_view *view;

		view = vgpu_gpu_view_of(gpu, head);
		if (!view || view->resource_id != call->flush.resource_id)
			continue;
		damage_head(gpu, head, &view->rect, rect);
		heads |= 1u << head;
	}
	return vgpu_gpu_delay_frame(gpu, call, heads);
}
