/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Placement: where in a GPU's framebuffer a vGPU lies. */
#include "placement.h"

#include <errno.h>

#include "util.h"

/*
 * Gaps are found without allocating or sorting: each step searches for the next
 * extent. That is quadratic in the number of vGPUs of one GPU, which is some
 * tens.
 */

/* The part of the framebuffer available to vGPUs, with both ends aligned. */
struct area {
	uint64_t start;
	uint64_t end;
};

static bool get_area(const struct vgpu_framebuffer *fb, struct area *ret_area)
{
	uint64_t a = fb->alignment;
	struct area area;

	if (a == 0 || (a & (a - 1)) || fb->host_reserve > fb->size)
		return false;
	area.end = fb->size & ~(a - 1);
	/* A reserve that reaches into the last unit leaves no room. */
	area.start = fb->host_reserve > area.end
			     ? area.end
			     : vgpu_align_up(fb->host_reserve, a);
	*ret_area = area;
	return true;
}

static bool is_inside(const struct area *area, uint64_t alignment,
		      const struct vgpu_extent *extent)
{
	return extent->size > 0 && !(extent->offset & (alignment - 1)) &&
	       !(extent->size & (alignment - 1)) &&
	       extent->offset >= area->start && extent->offset <= area->end &&
	       extent->size <= area->end - extent->offset;
}

/* Only for extents inside an area, whose ends do not overflow. */
static bool do_overlap(const struct vgpu_extent *a, const struct vgpu_extent *b)
{
	return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

static bool get_checked_area(const struct vgpu_framebuffer *fb,
			     const struct vgpu_extent *used, size_t n,
			     struct area *ret_area)
{
	struct area area;

	if (!get_area(fb, &area))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_inside(&area, fb->alignment, &used[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (do_overlap(&used[i], &used[j]))
				return false;
	}
	*ret_area = area;
	return true;
}

/*
 * Return the gap that begins at *at (possibly empty), and move *at behind the
 * extent that ends it. False if there are no more gaps.
 */
static bool next_gap(const struct area *area, const struct vgpu_extent *used,
		     size_t n, uint64_t *at, struct vgpu_extent *ret_gap)
{
	const struct vgpu_extent *next = NULL;

	if (*at >= area->end)
		return false;
	for (size_t i = 0; i < n; i++)
		if (used[i].offset >= *at &&
		    (!next || used[i].offset < next->offset))
			next = &used[i];

	ret_gap->offset = *at;
	ret_gap->size = (next ? next->offset : area->end) - *at;
	*at = next ? next->offset + next->size : area->end;
	return true;
}

uint64_t vgpu_placement_size(const struct vgpu_framebuffer *fb, uint64_t size)
{
	uint64_t a = fb->alignment;
	uint64_t padded;

	if (a == 0 || (a & (a - 1)) || !vgpu_checked_add(size, a - 1, &padded))
		return 0;
	return padded & ~(a - 1);
}

int vgpu_placement_find(const struct vgpu_framebuffer *fb,
			const struct vgpu_extent *used, size_t n, uint64_t size,
			struct vgpu_extent *ret_extent)
{
	uint64_t wanted = vgpu_placement_size(fb, size);
	struct vgpu_extent gap, best = {};
	struct area area;
	uint64_t at;

	if (wanted == 0 || !get_checked_area(fb, used, n, &area))
		return -EINVAL;

	at = area.start;
	while (next_gap(&area, used, n, &at, &gap))
		if (gap.size >= wanted && (best.size == 0 || gap.size < best.size))
			best = gap;
	if (best.size == 0)
		return -ENOSPC;

	ret_extent->offset = best.offset;
	ret_extent->size = wanted;
	return 0;
}

uint64_t vgpu_placement_count(const struct vgpu_framebuffer *fb,
			      const struct vgpu_extent *used, size_t n,
			      uint64_t size)
{
	uint64_t wanted = vgpu_placement_size(fb, size);
	struct vgpu_extent gap;
	uint64_t at, count = 0;
	struct area area;

	if (wanted == 0 || !get_checked_area(fb, used, n, &area))
		return 0;
	at = area.start;
	while (next_gap(&area, used, n, &at, &gap))
		count += gap.size / wanted;
	return count;
}

uint64_t vgpu_placement_free(const struct vgpu_framebuffer *fb,
			     const struct vgpu_extent *used, size_t n)
{
	struct vgpu_extent gap;
	uint64_t at, bytes = 0;
	struct area area;

	if (!get_checked_area(fb, used, n, &area))
		return 0;
	at = area.start;
	while (next_gap(&area, used, n, &at, &gap))
		bytes += gap.size;
	return bytes;
}

bool vgpu_placement_is_valid(const struct vgpu_framebuffer *fb,
			     const struct vgpu_extent *used, size_t n,
			     const struct vgpu_extent *extent)
{
	struct area area;

	if (!get_checked_area(fb, used, n, &area) ||
	    !is_inside(&area, fb->alignment, extent))
		return false;
	for (size_t i = 0; i < n; i++)
		if (do_overlap(&used[i], extent))
			return false;
	return true;
}
