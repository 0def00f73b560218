// SPDX-License-Identifier: GPL-2.0-or-later
/* Framebuffer: who has which part of the GPU's memory. */
#include "fb.h"

int vgpu_fb_init(struct vgpu_fb *fb, u64 base, u64 size, u64 unit_bytes,
		 struct vgpu_range *array, u32 capacity)
{
	u64 end;

	if (!vgpu_is_power_of_2(unit_bytes) ||
	    !vgpu_is_aligned(base, unit_bytes) ||
	    check_add_overflow(base, size, &end))
		return -EINVAL;
	*fb = (struct vgpu_fb){.base = base, .unit_bytes = unit_bytes};
	vgpu_ranges_init(&fb->ranges, array, capacity, size);
	return 0;
}
VGPU_EXPORT(vgpu_fb_init);

static int fb_insert_range(struct vgpu_fb *fb, enum vgpu_fb_kind kind,
			   u64 start, u64 size)
{
	struct vgpu_range range = {.start = start, .size = size, .kind = kind};
	int rc = vgpu_ranges_insert(&fb->ranges, &range);

	if (rc == 0)
		fb->bytes[kind] += size;
	return rc;
}

int vgpu_fb_reserve(struct vgpu_fb *fb, u64 offset, u64 size)
{
	if (offset < fb->base)
		return -EINVAL;
	return fb_insert_range(fb, VGPU_FB_RESERVED, offset - fb->base, size);
}
VGPU_EXPORT(vgpu_fb_reserve);

int vgpu_fb_reserve_top(struct vgpu_fb *fb, u64 size, u64 alignment,
			u64 *ret_offset)
{
	struct vgpu_range_search search = {
		.end = fb->ranges.size,
		.size = size,
		.alignment = alignment,
		.is_from_top = true,
	};
	u64 start;
	int rc;

	/* Places are aligned in the area, which is so only to its units. */
	if (size == 0 || !vgpu_is_power_of_2(alignment) ||
	    alignment > fb->unit_bytes)
		return -EINVAL;
	rc = vgpu_ranges_find(&fb->ranges, &search, &start);
	if (rc == 0)
		rc = fb_insert_range(fb, VGPU_FB_RESERVED, start, size);
	if (rc == 0)
		*ret_offset = fb->base + start;
	return rc;
}
VGPU_EXPORT(vgpu_fb_reserve_top);

/* The first part that begins at @from or behind it. */
static const struct vgpu_range *fb_next_part(const struct vgpu_range *parts,
					     u32 count, u64 from)
{
	const struct vgpu_range *next = NULL;
	u32 i;

	for (i = 0; i < count; i++)
		if (parts[i].start >= from &&
		    (!next || parts[i].start < next->start))
			next = &parts[i];
	return next;
}

int vgpu_fb_reserve_others(struct vgpu_fb *fb, const struct vgpu_range *usable,
			   u32 count)
{
	const struct vgpu_range *part;
	u64 at = fb->base, end = fb->base + fb->ranges.size;
	u32 seen;
	int rc;

	for (seen = 0; seen < count; seen++) {
		part = fb_next_part(usable, count, at);
		if (!part || part->size == 0 ||
		    !vgpu_is_inside(part->start, part->size, end))
			return -EINVAL;
		if (part->start > at) {
			rc = vgpu_fb_reserve(fb, at, part->start - at);
			if (rc)
				return rc;
		}
		at = part->start + part->size;
	}
	return at < end ? vgpu_fb_reserve(fb, at, end - at) : 0;
}
VGPU_EXPORT(vgpu_fb_reserve_others);

int vgpu_fb_carve(struct vgpu_fb *fb, u64 size, struct vgpu_fb *area,
		  u64 unit_bytes, struct vgpu_range *array, u32 capacity)
{
	struct vgpu_range_search search = {
		.end = fb->ranges.size,
		.alignment = fb->unit_bytes,
		.is_from_top = true,
	};
	struct vgpu_fb carved;
	u64 start;
	int rc;

	if (!vgpu_align_up(size, fb->unit_bytes, &search.size))
		return -ENOSPC;
	rc = vgpu_ranges_find(&fb->ranges, &search, &start);
	if (rc == 0)
		rc = vgpu_fb_init(&carved, fb->base + start, search.size,
				  unit_bytes, array, capacity);
	if (rc == 0)
		rc = fb_insert_range(fb, VGPU_FB_RESERVED, start, search.size);
	if (rc == 0)
		*area = carved;
	return rc;
}

int vgpu_fb_alloc_at(struct vgpu_fb *fb, u64 offset, u64 size)
{
	u64 rounded;

	if (offset < fb->base || !vgpu_is_aligned(offset, fb->unit_bytes) ||
	    !vgpu_align_up(size, fb->unit_bytes, &rounded))
		return -EINVAL;
	return fb_insert_range(fb, VGPU_FB_USED, offset - fb->base, rounded);
}
VGPU_EXPORT(vgpu_fb_alloc_at);

static struct vgpu_range *fb_get_range(struct vgpu_fb *fb, u64 offset,
				       enum vgpu_fb_kind kind)
{
	struct vgpu_range *range;

	if (offset < fb->base)
		return NULL;
	range = vgpu_ranges_get(&fb->ranges, offset - fb->base);
	return range && range->kind == kind ? range : NULL;
}

static int fb_remove_range(struct vgpu_fb *fb, u64 offset, enum vgpu_fb_kind kind)
{
	struct vgpu_range *range = fb_get_range(fb, offset, kind);

	if (!range)
		return -ENOENT;
	fb->bytes[kind] -= range->size;
	vgpu_ranges_remove(&fb->ranges, range);
	return 0;
}

int vgpu_fb_free(struct vgpu_fb *fb, u64 offset)
{
	return fb_remove_range(fb, offset, VGPU_FB_USED);
}
VGPU_EXPORT(vgpu_fb_free);

int vgpu_fb_quarantine(struct vgpu_fb *fb, u64 offset)
{
	struct vgpu_range *range = fb_get_range(fb, offset, VGPU_FB_USED);

	if (!range)
		return -ENOENT;
	range->kind = VGPU_FB_QUARANTINED;
	fb->bytes[VGPU_FB_USED] -= range->size;
	fb->bytes[VGPU_FB_QUARANTINED] += range->size;
	return 0;
}

int vgpu_fb_scrubbed(struct vgpu_fb *fb, u64 offset)
{
	return fb_remove_range(fb, offset, VGPU_FB_QUARANTINED);
}

void vgpu_fb_find_largest(const struct vgpu_fb *fb, u64 *ret_start, u64 *ret_end)
{
	u64 free_from = 0, start, end;
	u32 i;

	*ret_start = 0;
	*ret_end = 0;
	for (i = 0; i <= fb->ranges.count; i++) {
		const struct vgpu_range *next = &fb->ranges.array[i];
		bool is_last = i == fb->ranges.count;

		end = fb->base + (is_last ? fb->ranges.size : next->start);
		end = vgpu_align_down(end, fb->unit_bytes);
		if (vgpu_align_up(fb->base + free_from, fb->unit_bytes, &start) &&
		    end > start && end - start > *ret_end - *ret_start) {
			*ret_start = start;
			*ret_end = end;
		}
		if (!is_last)
			free_from = next->start + next->size;
	}
}

u64 vgpu_fb_free_bytes(const struct vgpu_fb *fb)
{
	u64 taken = 0;
	u32 kind;

	for (kind = 0; kind < VGPU_FB_KIND_MAX; kind++)
		taken += fb->bytes[kind];
	return fb->ranges.size - taken;
}
VGPU_EXPORT(vgpu_fb_free_bytes);
