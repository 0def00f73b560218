/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An allocator of ranges of numbers: which are in use, first fit. */
#ifndef VGPU_DEVICE_GPU_CORE_EXTENTS_H
#define VGPU_DEVICE_GPU_CORE_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

struct vgpu_gpu_extent {
	uint64_t offset;
	uint64_t size;
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
/* Exactly this range. Returns 0, or -EINVAL if it is empty, out or taken. */
int vgpu_gpu_extents_claim(struct vgpu_gpu_extents *e, uint64_t offset,
			   uint64_t size);
/* Give back the range that begins at @offset. */
void vgpu_gpu_extents_free(struct vgpu_gpu_extents *e, uint64_t offset);
void vgpu_gpu_extents_clear(struct vgpu_gpu_extents *e);

#endif
