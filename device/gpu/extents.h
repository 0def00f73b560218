/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An allocator of ranges of numbers: which are in use, first fit. */
#ifndef VGPU_DEVICE_GPU_EXTENTS_H
#define VGPU_DEVICE_GPU_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "render/abi.h"

struct vgpu_gpu_extent {
	uint64_t offset;
	uint64_t size;
	/* For whoever uses the allocator: zero at first. */
	const void *owner;
	uint32_t users;
	uint32_t number;
};

struct vgpu_gpu_extents {
	struct vgpu_gpu_extent *extent; /* sorted, none overlaps */
	size_t n;
	size_t n_max;
	uint64_t total; /* offsets are below this */
	uint64_t used;
};

/* Ranges of [0, total), at most @n_max at a time. Returns 0 or -ENOMEM. */
int vgpu_gpu_extents_init(struct vgpu_gpu_extents *e, uint64_t total,
			  size_t n_max);
void vgpu_gpu_extents_finish(struct vgpu_gpu_extents *e);

/* The lowest free range of @size, not 0. Returns 0 or -ENOSPC. */
int vgpu_gpu_extents_alloc(struct vgpu_gpu_extents *e, uint64_t size,
			   uint64_t *ret_offset);
/*
 * Ranges that add up to @size, not 0, where no free one is as large: the
 * largest free ones, @n_max at most, none over a multiple of @boundary (0: no
 * matter). They come in order, and are in use. Returns how many, or -ENOSPC.
 */
int vgpu_gpu_extents_gather(struct vgpu_gpu_extents *e, uint64_t size,
			    uint64_t boundary,
			    struct vgpu_render_piece *ret_piece, size_t n_max);
/* Exactly this range. Returns 0, or -EINVAL if it is empty, out or taken. */
int vgpu_gpu_extents_claim(struct vgpu_gpu_extents *e, uint64_t offset,
			   uint64_t size);
/* The range that begins at @offset, until the next call; NULL if none does. */
struct vgpu_gpu_extent *vgpu_gpu_extents_find(struct vgpu_gpu_extents *e,
					      uint64_t offset);
/* Its size, 0 if none begins there. */
uint64_t vgpu_gpu_extents_size(const struct vgpu_gpu_extents *e, uint64_t offset);
/* Whether @offset is in a range in use. */
bool vgpu_gpu_extents_covers(const struct vgpu_gpu_extents *e, uint64_t offset);
/* Give back the range that begins at @offset. */
void vgpu_gpu_extents_free(struct vgpu_gpu_extents *e, uint64_t offset);
/* Give back all ranges with neither owner nor users, at once. */
void vgpu_gpu_extents_sweep(struct vgpu_gpu_extents *e);
void vgpu_gpu_extents_clear(struct vgpu_gpu_extents *e);

#endif
