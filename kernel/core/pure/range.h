/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges that do not overlap, in an array that the caller gives. */
#ifndef VGPU_KERNEL_CORE_PURE_RANGE_H
#define VGPU_KERNEL_CORE_PURE_RANGE_H

#include "port.h"

struct vgpu_range {
	u64 start;
	u64 size;
	u64 target; /* of the owner of the set */
	u32 kind;   /* likewise */
};

/* Sorted by start; every range is inside [0, size) and none is empty. */
struct vgpu_ranges {
	struct vgpu_range *array;
	u32 count;
	u32 capacity;
	u64 size;
};

/* Where a search looks, and what it wants. */
struct vgpu_range_search {
	u64 start; /* of the area that is searched */
	u64 end;
	u64 size; /* not 0 */
	u64 alignment;
	bool is_from_top; /* the highest place rather than the smallest gap */
};

void vgpu_ranges_init(struct vgpu_ranges *ranges, struct vgpu_range *array,
		      u32 capacity, u64 size);

/* -EINVAL: empty or outside; -EBUSY: overlaps; -ENOMEM: the array is full. */
int vgpu_ranges_insert(struct vgpu_ranges *ranges,
		       const struct vgpu_range *range);

/* The range that begins at @start, or NULL. Valid until the next change. */
struct vgpu_range *vgpu_ranges_get(struct vgpu_ranges *ranges, u64 start);

/* Remove a range that vgpu_ranges_get() returned. */
void vgpu_ranges_remove(struct vgpu_ranges *ranges, struct vgpu_range *range);

/* -ENOSPC: there is no such gap. */
int vgpu_ranges_find(const struct vgpu_ranges *ranges,
		     const struct vgpu_range_search *search, u64 *ret_start);

#endif
