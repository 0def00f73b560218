// SPDX-License-Identifier: GPL-2.0-or-later
/* BAR1: windows of the CPU into the framebuffer. */
#include "bar1.h"

enum window_kind {
	WINDOW_RESERVED,
	WINDOW_OPEN,
};

int vgpu_bar1_init(struct vgpu_bar1 *bar1, u64 size, u64 reserved, u64 fb_size,
		   struct vgpu_range *array, u32 capacity)
{
	struct vgpu_range range = {.size = reserved, .kind = WINDOW_RESERVED};

	vgpu_ranges_init(&bar1->windows, array, capacity, size);
	bar1->fb_size = fb_size;
	return reserved ? vgpu_ranges_insert(&bar1->windows, &range) : 0;
}

bool vgpu_bar1_is_open(const struct vgpu_range *window)
{
	return window->kind == WINDOW_OPEN;
}

/* The windows are sorted by their places in BAR1, not by what they show. */
static bool bar1_is_shown(const struct vgpu_bar1 *bar1, u64 fb_offset, u64 size)
{
	u32 i;

	for (i = 0; i < bar1->windows.count; i++) {
		const struct vgpu_range *w = &bar1->windows.array[i];

		if (w->kind == WINDOW_OPEN && w->target < fb_offset + size &&
		    fb_offset < w->target + w->size)
			return true;
	}
	return false;
}

int vgpu_bar1_open(struct vgpu_bar1 *bar1, u64 fb_offset, u64 size,
		   u64 page_bytes, u64 *ret_start)
{
	struct vgpu_range_search search = {
		.end = bar1->windows.size,
		.size = size,
		.alignment = page_bytes,
	};
	struct vgpu_range window = {
		.size = size,
		.target = fb_offset,
		.kind = WINDOW_OPEN,
	};
	int rc;

	if ((page_bytes != VGPU_BAR1_PAGE_BYTES &&
	     page_bytes != VGPU_BAR1_HUGE_PAGE_BYTES) ||
	    size == 0 || !vgpu_is_aligned(fb_offset | size, page_bytes) ||
	    !vgpu_is_inside(fb_offset, size, bar1->fb_size))
		return -EINVAL;
	if (bar1_is_shown(bar1, fb_offset, size))
		return -EEXIST;
	rc = vgpu_ranges_find(&bar1->windows, &search, &window.start);
	if (rc == 0)
		rc = vgpu_ranges_insert(&bar1->windows, &window);
	if (rc == 0)
		*ret_start = window.start;
	return rc;
}

int vgpu_bar1_close(struct vgpu_bar1 *bar1, u64 start)
{
	struct vgpu_range *window = vgpu_ranges_get(&bar1->windows, start);

	if (!window || window->kind != WINDOW_OPEN)
		return -ENOENT;
	vgpu_ranges_remove(&bar1->windows, window);
	return 0;
}
