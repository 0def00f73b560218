// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges that do not overlap, in an array that the caller gives. */
#include "range.h"

void vgpu_ranges_init(struct vgpu_ranges *ranges, struct vgpu_range *array,
		      u32 capacity, u64 size)
{
	ranges->array = array;
	ranges->count = 0;
	ranges->capacity = capacity;
	ranges->size = size;
}
VGPU_EXPORT(vgpu_ranges_init);

/* The index of the first range that does not end before or at @at. */
static u32 range_first_behind(const struct vgpu_ranges *ranges, u64 at)
{
	u32 low = 0, high = ranges->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct vgpu_range *r = &ranges->array[middle];

		if (r->start + r->size <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int vgpu_ranges_insert(struct vgpu_ranges *ranges, const struct vgpu_range *range)
{
	struct vgpu_range *array = ranges->array;
	u32 at;

	if (range->size == 0 ||
	    !vgpu_is_inside(range->start, range->size, ranges->size))
		return -EINVAL;
	at = range_first_behind(ranges, range->start);
	if (at < ranges->count && array[at].start < range->start + range->size)
		return -EBUSY;
	if (ranges->count == ranges->capacity)
		return -ENOMEM;

	memmove(&array[at + 1], &array[at],
		(ranges->count - at) * sizeof(array[0]));
	array[at] = *range;
	ranges->count++;
	return 0;
}
VGPU_EXPORT(vgpu_ranges_insert);

struct vgpu_range *vgpu_ranges_get(struct vgpu_ranges *ranges, u64 start)
{
	u32 at = range_first_behind(ranges, start);

	if (at == ranges->count || ranges->array[at].start != start)
		return NULL;
	return &ranges->array[at];
}
VGPU_EXPORT(vgpu_ranges_get);

void vgpu_ranges_remove(struct vgpu_ranges *ranges, struct vgpu_range *range)
{
	u32 at = (u32)(range - ranges->array);

	ranges->count--;
	memmove(range, range + 1, (ranges->count - at) * sizeof(*range));
}
VGPU_EXPORT(vgpu_ranges_remove);

struct gap {
	u64 start;
	u64 end;
};

/*
 * The part of the gap before range @index (behind the last one, where it is
 * the count) that @search can use, its start aligned. False if it is too small.
 */
static bool range_usable_gap(const struct vgpu_ranges *ranges,
			     const struct vgpu_range_search *search, u32 index,
			     struct gap *ret_gap)
{
	const struct vgpu_range *before, *behind;
	struct gap gap = {search->start, search->end};

	if (gap.end > ranges->size)
		gap.end = ranges->size;
	if (index > 0) {
		before = &ranges->array[index - 1];
		if (before->start + before->size > gap.start)
			gap.start = before->start + before->size;
	}
	if (index < ranges->count) {
		behind = &ranges->array[index];
		if (behind->start < gap.end)
			gap.end = behind->start;
	}
	if (!vgpu_align_up(gap.start, search->alignment, &gap.start) ||
	    gap.start > gap.end || gap.end - gap.start < search->size)
		return false;
	*ret_gap = gap;
	return true;
}

static bool range_is_search_sound(const struct vgpu_range_search *search)
{
	return search->size > 0 && vgpu_is_power_of_2(search->alignment);
}

int vgpu_ranges_find(const struct vgpu_ranges *ranges,
		     const struct vgpu_range_search *search, u64 *ret_start)
{
	struct gap gap, best = {};
	bool is_found = false;
	u32 i;

	if (!range_is_search_sound(search))
		return -EINVAL;
	for (i = 0; i <= ranges->count; i++) {
		if (!range_usable_gap(ranges, search, i, &gap))
			continue;
		/* Of equal gaps the lower one is taken. */
		if (!is_found || search->is_from_top ||
		    gap.end - gap.start < best.end - best.start)
			best = gap;
		is_found = true;
	}
	if (!is_found)
		return -ENOSPC;
	*ret_start = search->is_from_top
			     ? vgpu_align_down(best.end - search->size,
					       search->alignment)
			     : best.start;
	return 0;
}
VGPU_EXPORT(vgpu_ranges_find);
