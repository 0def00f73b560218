/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges in use, as a sorted array that is rebuilt at start. */
#include "device/gpu/core/extents.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

int vgpu_gpu_extents_init(struct vgpu_gpu_extents *e, uint64_t total, size_t n_max)
{
	struct vgpu_gpu_extent *extent = calloc(n_max, sizeof(*extent));

	if (!extent)
		return -ENOMEM;
	*e = (struct vgpu_gpu_extents){
		.extent = extent, .n_max = n_max, .total = total};
	return 0;
}

void vgpu_gpu_extents_finish(struct vgpu_gpu_extents *e)
{
	free(e->extent);
	*e = (struct vgpu_gpu_extents){};
}

/* Index of the first range at or beyond @offset. */
static size_t find_extent(const struct vgpu_gpu_extents *e, uint64_t offset)
{
	size_t low = 0, high = e->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->extent[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_extent(struct vgpu_gpu_extents *e, size_t at,
			  uint64_t offset, uint64_t size)
{
	memmove(&e->extent[at + 1], &e->extent[at],
		(e->n - at) * sizeof(e->extent[0]));
	e->extent[at] = (struct vgpu_gpu_extent){.offset = offset, .size = size};
	e->n++;
	e->used += size;
}

int vgpu_gpu_extents_alloc(struct vgpu_gpu_extents *e, uint64_t size,
			   uint64_t *ret_offset)
{
	uint64_t end = 0; /* of the ranges seen */

	assert(size > 0);
	if (e->n == e->n_max)
		return -ENOSPC;
	for (size_t i = 0; i <= e->n; i++) {
		uint64_t next = i < e->n ? e->extent[i].offset : e->total;

		if (next - end >= size) {
			insert_extent(e, i, end, size);
			*ret_offset = end;
			return 0;
		}
		if (i < e->n)
			end = next + e->extent[i].size;
	}
	return -ENOSPC;
}

int vgpu_gpu_extents_claim(struct vgpu_gpu_extents *e, uint64_t offset,
			   uint64_t size)
{
	uint64_t end;
	size_t at;

	if (size == 0 || e->n == e->n_max ||
	    !vgpu_checked_add(offset, size, &end) || end > e->total)
		return -EINVAL;
	at = find_extent(e, offset);
	if (at < e->n && e->extent[at].offset < end)
		return -EINVAL;
	if (at > 0 && e->extent[at - 1].offset + e->extent[at - 1].size > offset)
		return -EINVAL;
	insert_extent(e, at, offset, size);
	return 0;
}

void vgpu_gpu_extents_free(struct vgpu_gpu_extents *e, uint64_t offset)
{
	size_t at = find_extent(e, offset);

	assert(at < e->n && e->extent[at].offset == offset);
	e->used -= e->extent[at].size;
	e->n--;
	memmove(&e->extent[at], &e->extent[at + 1],
		(e->n - at) * sizeof(e->extent[0]));
}

void vgpu_gpu_extents_clear(struct vgpu_gpu_extents *e)
{
	e->n = 0;
	e->used = 0;
}
