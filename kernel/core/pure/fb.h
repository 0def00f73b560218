/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framebuffer: who has which part of the GPU's memory. */
#ifndef VGPU_KERNEL_CORE_PURE_FB_H
#define VGPU_KERNEL_CORE_PURE_FB_H

#include "range.h"

/*
 *                 alloc                    free
 *       free ------------------> used ----------------> free
 *        |                        |                      ^
 *        | reserve                | quarantine           | scrubbed
 *        v                        v                      |
 *     reserved (for good)     quarantined ---------------+
 *
 * A range that could not be scrubbed still holds its last guest's data: it is
 * quarantined rather than freed, and nobody gets it before it was scrubbed.
 */
enum vgpu_fb_kind {
	VGPU_FB_RESERVED,
	VGPU_FB_USED,
	VGPU_FB_QUARANTINED,
	VGPU_FB_KIND_MAX,
};

/*
 * The whole framebuffer is one area, of VMMU segments; the heaps of the
 * firmware's vGPU tasks come from another one that is carved out of it, so that
 * they take no segment each.
 */
struct vgpu_fb {
	struct vgpu_ranges ranges; /* relative to base */
	u64 base;
	u64 unit_bytes; /* of allocations: size and alignment */
	u64 bytes[VGPU_FB_KIND_MAX];
};

/*
 * @unit_bytes is a power of two; @capacity is the number of ranges there can be
 * at a time, of whatever kind, for which @array has room.
 */
int vgpu_fb_init(struct vgpu_fb *fb, u64 base, u64 size, u64 unit_bytes,
		 struct vgpu_range *array, u32 capacity);

/* For the firmware, the host, retired pages: any offset and size. */
int vgpu_fb_reserve(struct vgpu_fb *fb, u64 offset, u64 size);

/* The same at the highest free place, of whatever size and alignment. */
int vgpu_fb_reserve_top(struct vgpu_fb *fb, u64 size, u64 alignment,
			u64 *ret_offset);

/*
 * Reserve all that is in none of the @usable parts, which are in any order.
 * -EINVAL: two of them overlap, or one is not in the framebuffer.
 */
int vgpu_fb_reserve_others(struct vgpu_fb *fb, const struct vgpu_range *usable,
			   u32 count);

/* Reserve whole units at the highest free place and make them an area. */
int vgpu_fb_carve(struct vgpu_fb *fb, u64 size, struct vgpu_fb *area,
		  u64 unit_bytes, struct vgpu_range *array, u32 capacity);

/*
 * Allocate @size bytes, rounded up to whole units, at @offset. -EBUSY: not free
 * there; -EINVAL: @offset is not of whole units.
 */
int vgpu_fb_alloc_at(struct vgpu_fb *fb, u64 offset, u64 size);

/* -ENOENT: nothing that is used begins there. */
int vgpu_fb_free(struct vgpu_fb *fb, u64 offset);

int vgpu_fb_quarantine(struct vgpu_fb *fb, u64 offset);

/* -ENOENT: nothing that is quarantined begins there. */
int vgpu_fb_scrubbed(struct vgpu_fb *fb, u64 offset);

/* The largest free piece, in whole units: [*ret_start, *ret_end). */
void vgpu_fb_find_largest(const struct vgpu_fb *fb, u64 *ret_start, u64 *ret_end);

u64 vgpu_fb_free_bytes(const struct vgpu_fb *fb);

#endif
