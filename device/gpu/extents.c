/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges in use, as a sorted array that is rebuilt at start. */
#include "device/gpu/extents.h"

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
static size_t find(const struct vgpu_gpu_extents *e, uint64_t offset)
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

static void insert(struct vgpu_gpu_extents *e, size_t at, uint64_t offset,
		   uint64_t size)
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
			insert(e, i, end, size);
			*ret_offset = end;
			return 0;
		}
		if (i < e->n)
			end = next + e->extent[i].size;
	}
	return -ENOSPC;
}

static int compare_sizes(const void *a, const void *b)
{
	const struct vgpu_render_piece *first = a, *second = b;

	if (first->bytes != second->bytes)
		return first->bytes < second->bytes ? 1 : -1;
	return (first->offset > second->offset) -
	       (first->offset < second->offset);
}

static int compare_offsets(const void *a, const void *b)
{
	const struct vgpu_render_piece *first = a, *second = b;

	return (first->offset > second->offset) -
	       (first->offset < second->offset);
}

/* The free ranges, cut where they may not go on. NULL without memory. */
static struct vgpu_render_piece *find_free(const struct vgpu_gpu_extents *e,
					   uint64_t boundary, size_t *ret_n)
{
	uint64_t cut = boundary ? boundary : e->total;
	/* A hole after each range and one before; each cut makes one more. */
	size_t n_max = e->n + 1 + (size_t)(e->total / cut), n = 0;
	struct vgpu_render_piece *piece = calloc(n_max, sizeof(*piece));
	uint64_t at = 0;

	if (!piece)
		return NULL;
	for (size_t i = 0; i <= e->n; i++) {
		uint64_t end = i < e->n ? e->extent[i].offset : e->total;

		while (at < end) {
			uint64_t bytes = VGPU_MIN(end - at, cut - at % cut);

			piece[n++] = (struct vgpu_render_piece){at, bytes};
			at += bytes;
		}
		if (i < e->n)
			at = end + e->extent[i].size;
	}
	*ret_n = n;
	return piece;
}

/* @piece is in order, and free. */
static void insert_all(struct vgpu_gpu_extents *e,
		       const struct vgpu_render_piece *piece, size_t n)
{
	size_t old = e->n, to = e->n + n;

	e->n = to;
	while (n > 0) {
		if (old > 0 && e->extent[old - 1].offset > piece[n - 1].offset) {
			e->extent[--to] = e->extent[--old];
			continue;
		}
		n--;
		e->extent[--to] = (struct vgpu_gpu_extent){
			.offset = piece[n].offset, .size = piece[n].bytes};
		e->used += piece[n].bytes;
	}
}

int vgpu_gpu_extents_gather(struct vgpu_gpu_extents *e, uint64_t size,
			    uint64_t boundary,
			    struct vgpu_render_piece *ret_piece, size_t n_max)
{
	vgpu_autofree struct vgpu_render_piece *piece = NULL;
	size_t n_free, n = 0;

	assert(size > 0);
	piece = find_free(e, boundary, &n_free);
	if (!piece)
		return -ENOSPC;
	qsort(piece, n_free, sizeof(*piece), compare_sizes);
	n_max = VGPU_MIN(n_max, e->n_max - e->n);
	while (size > 0) {
		if (n == n_free || n == n_max)
			return -ENOSPC;
		piece[n].bytes = VGPU_MIN(piece[n].bytes, size);
		size -= piece[n++].bytes;
	}
	qsort(piece, n, sizeof(*piece), compare_offsets);
	insert_all(e, piece, n);
	memcpy(ret_piece, piece, n * sizeof(*piece));
	return (int)n;
}

int vgpu_gpu_extents_claim(struct vgpu_gpu_extents *e, uint64_t offset,
			   uint64_t size)
{
	uint64_t end;
	size_t at;

	if (size == 0 || e->n == e->n_max ||
	    !vgpu_checked_add(offset, size, &end) || end > e->total)
		return -EINVAL;
	at = find(e, offset);
	if (at < e->n && e->extent[at].offset < end)
		return -EINVAL;
	if (at > 0 && e->extent[at - 1].offset + e->extent[at - 1].size > offset)
		return -EINVAL;
	insert(e, at, offset, size);
	return 0;
}

struct vgpu_gpu_extent *vgpu_gpu_extents_find(struct vgpu_gpu_extents *e,
					      uint64_t offset)
{
	size_t at = find(e, offset);

	return at < e->n && e->extent[at].offset == offset ? &e->extent[at]
							   : NULL;
}

uint64_t vgpu_gpu_extents_size(const struct vgpu_gpu_extents *e, uint64_t offset)
{
	size_t at = find(e, offset);

	return at < e->n && e->extent[at].offset == offset ? e->extent[at].size
							   : 0;
}

bool vgpu_gpu_extents_covers(const struct vgpu_gpu_extents *e, uint64_t offset)
{
	size_t at = find(e, offset);

	if (at < e->n && e->extent[at].offset == offset)
		return true;
	return at > 0 &&
	       offset - e->extent[at - 1].offset < e->extent[at - 1].size;
}

void vgpu_gpu_extents_free(struct vgpu_gpu_extents *e, uint64_t offset)
{
	size_t at = find(e, offset);

	assert(at < e->n && e->extent[at].offset == offset);
	e->used -= e->extent[at].size;
	e->n--;
	memmove(&e->extent[at], &e->extent[at + 1],
		(e->n - at) * sizeof(e->extent[0]));
}

void vgpu_gpu_extents_sweep(struct vgpu_gpu_extents *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (e->extent[i].owner || e->extent[i].users)
			e->extent[kept++] = e->extent[i];
		else
			e->used -= e->extent[i].size;
	}
	e->n = kept;
}

void vgpu_gpu_extents_clear(struct vgpu_gpu_extents *e)
{
	e->n = 0;
	e->used = 0;
}
