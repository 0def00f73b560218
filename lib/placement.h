/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Placement: where in a GPU's framebuffer a vGPU lies. Pure arithmetic. */
#ifndef VGPU_LIB_PLACEMENT_H
#define VGPU_LIB_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu_extent {
	uint64_t offset; /* bytes */
	uint64_t size;	 /* bytes */
};

/* One GPU's framebuffer. All in bytes; alignment is a power of two. */
struct vgpu_framebuffer {
	uint64_t size;
	uint64_t host_reserve; /* kept for the host at the start */
	uint64_t alignment;    /* of offsets and of sizes */
};

/*
 * Bytes that a vGPU of @size takes: @size rounded up to the alignment. 0 if
 * @size is 0 or the sum overflows.
 */
uint64_t vgpu_placement_size(const struct vgpu_framebuffer *fb, uint64_t size);

/*
 * Best fit: the smallest gap between @used (any order, @n of them, none
 * overlapping) that holds @size, lowest offset among equals.
 * Returns 0 and *ret_extent, -ENOSPC if no gap holds it, -EINVAL on a
 * framebuffer, size or used list that makes no sense.
 */
int vgpu_placement_find(const struct vgpu_framebuffer *fb,
			const struct vgpu_extent *used, size_t n, uint64_t size,
			struct vgpu_extent *ret_extent);

/*
 * Exactly how many more vGPUs of @size vgpu_placement_find() could place; 0
 * where it would return -EINVAL.
 */
uint64_t vgpu_placement_count(const struct vgpu_framebuffer *fb,
			      const struct vgpu_extent *used, size_t n,
			      uint64_t size);

/*
 * Total bytes neither used nor reserved, in all gaps. What alignment cuts off
 * at both ends of the framebuffer does not count. 0 where vgpu_placement_find()
 * would return -EINVAL.
 */
uint64_t vgpu_placement_free(const struct vgpu_framebuffer *fb,
			     const struct vgpu_extent *used, size_t n);

/* Whether @extent is aligned, inside the framebuffer and overlaps no @used. */
bool vgpu_placement_is_valid(const struct vgpu_framebuffer *fb,
			     const struct vgpu_extent *used, size_t n,
			     const struct vgpu_extent *extent);

#endif
