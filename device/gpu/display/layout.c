/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the heads are on the guest's desktop, as far as it can be known. */
#include "device/gpu/display/display.h"

/* The rectangle of the desktop that a head shows. */
struct place {
	uint64_t x;
	uint64_t y;
	uint64_t width;
	uint64_t height;
};

static bool has_picture(const struct vgpu_gpu *gpu, uint32_t head)
{
	uint32_t width, height;

	vgpu_gpu_head_mode(gpu, head, &width, &height);
	return width != 0 || vgpu_gpu_view_of(gpu, head);
}

/*
 * Whether one picture is behind @head and others, as an X server makes it: then
 * what each shows of it says where it is.
 */
static bool is_shared(const struct vgpu_gpu *gpu, uint32_t head)
{
	const struct vgpu_gpu_state_view *view = vgpu_gpu_view_of(gpu, head);

	for (uint32_t i = 0; view && i < gpu->config.heads; i++) {
		const struct vgpu_gpu_state_view *other =
			vgpu_gpu_view_of(gpu, i);

		if (i != head && other && other->resource_id == view->resource_id)
			return true;
	}
	return false;
}

/*
 * The place of @head, by @resource_id, a picture that several show; or with 0
 * side by side, as GET_DISPLAY_INFO says and desktops do. @next_x is where the
 * last one ended. False if it has none.
 */
static bool find_place(const struct vgpu_gpu *gpu, uint32_t head,
		       uint32_t resource_id, uint64_t next_x, struct place *place)
{
	const struct vgpu_gpu_state_view *view = vgpu_gpu_view_of(gpu, head);
	uint32_t width, height;

	if (resource_id) {
		if (!view || view->resource_id != resource_id)
			return false;
		*place = (struct place){view->rect.x, view->rect.y,
					view->rect.width, view->rect.height};
		return true;
	}
	if (!has_picture(gpu, head))
		return false;
	vgpu_gpu_picture_size(gpu, head, &width, &height);
	*place = (struct place){next_x, 0, width, height};
	return true;
}

void vgpu_gpu_layout(const struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_gpu_layout *ret_layout)
{
	uint32_t resource_id = 0;
	struct place own = {}, place, all = {};
	uint64_t left = UINT64_MAX, top = UINT64_MAX;

	*ret_layout = (struct vgpu_gpu_layout){};
	if (head >= gpu->config.heads || !has_picture(gpu, head))
		return;
	if (is_shared(gpu, head))
		resource_id = vgpu_gpu_view_of(gpu, head)->resource_id;
	for (uint32_t i = 0; i < gpu->config.heads; i++) {
		if (!find_place(gpu, i, resource_id, all.width, &place))
			continue;
		if (i == head)
			own = place;
		left = VGPU_MIN(left, place.x);
		top = VGPU_MIN(top, place.y);
		all.width = VGPU_MAX(all.width, place.x + place.width);
		all.height = VGPU_MAX(all.height, place.y + place.height);
	}
	/* Sides are below 2^14, and those of a picture below 2^32. */
	ret_layout->x = (uint32_t)(own.x - left);
	ret_layout->y = (uint32_t)(own.y - top);
	ret_layout->head_width = (uint32_t)own.width;
	ret_layout->head_height = (uint32_t)own.height;
	ret_layout->width = (uint32_t)(all.width - left);
	ret_layout->height = (uint32_t)(all.height - top);
}
