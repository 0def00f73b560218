/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest memory behind a resource: a list of ranges, resolved at each use. */
#include "device/gpu/memory/memory.h"

#include <string.h>

/* Entries are read in pieces, through a buffer that no guest can size. */
#define PIECE 64

static bool is_guest_memory(const struct vgpu_gpu *gpu, uint64_t gpa,
			    uint64_t bytes)
{
	uint64_t part;

	for (; bytes > 0; gpa += part, bytes -= part)
		if (!gpu->ops->guest_range(gpu->opaque, gpa, bytes, &part))
			return false;
	return true;
}

static uint32_t read_entries(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			     uint64_t first, uint32_t n, uint64_t *ret_bytes)
{
	struct vgpu_gpu_entry *to = &gpu->state->entry[first];
	struct vgpu_gpu_entry piece[PIECE];
	uint64_t bytes = 0;

	for (uint32_t done = 0; done < n;) {
		uint32_t here = VGPU_MIN(n - done, (uint32_t)PIECE);

		if (!vgpu_gpu_read(&call->rest, piece, here * sizeof(*piece)))
			return VGPU_GPU_ERR_UNSPEC;
		for (uint32_t i = 0; i < here; i++) {
			struct vgpu_gpu_entry *entry = &piece[i];

			if (!vgpu_gpu_entry_is_valid(entry) ||
			    !is_guest_memory(gpu, entry->gpa, entry->bytes))
				return VGPU_GPU_ERR_INVALID_PARAMETER;
			entry->padding = 0;
			bytes += entry->bytes; /* at most 2^20 of 2^32 */
		}
		memcpy(&to[done], piece, here * sizeof(*piece));
		done += here;
	}
	*ret_bytes = bytes;
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_backing_take(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot, uint32_t n, uint64_t bytes_min)
{
	uint64_t first, bytes;
	uint32_t answer;

	if (n == 0 || n > VGPU_GPU_ENTRIES_MAX)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (call->rest_bytes < n * sizeof(struct vgpu_gpu_entry))
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (vgpu_gpu_extents_alloc(&gpu->entries, n, &first) < 0)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;

	answer = read_entries(gpu, call, first, n, &bytes);
	if (answer == VGPU_GPU_OK_NODATA && bytes < bytes_min)
		answer = VGPU_GPU_ERR_INVALID_PARAMETER;
	if (answer != VGPU_GPU_OK_NODATA) {
		vgpu_gpu_extents_free(&gpu->entries, first);
		return answer;
	}
	gpu->slot[slot].backing_bytes = bytes;
	vgpu_gpu_commit(&gpu->state->resource[slot].backing, first << 32 | n);
	return VGPU_GPU_OK_NODATA;
}

void vgpu_gpu_backing_drop(struct vgpu_gpu *gpu, uint32_t slot)
{
	struct vgpu_gpu_state_resource *resource = &gpu->state->resource[slot];
	uint64_t backing = resource->backing;

	if (!backing)
		return;
	vgpu_gpu_commit(&resource->backing, (uint64_t)0);
	vgpu_gpu_extents_free(&gpu->entries, backing >> 32);
	gpu->slot[slot].backing_bytes = 0;
}

uint32_t vgpu_gpu_attach_backing(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->attach.resource_id);
	struct vgpu_gpu_state_resource *resource;

	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	resource = &gpu->state->resource[slot];
	if (resource->kind != VGPU_GPU_KIND_2D &&
	    resource->kind != VGPU_GPU_KIND_BLOB)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (resource->backing && !call->is_retry)
		return VGPU_GPU_ERR_UNSPEC;
	vgpu_gpu_backing_drop(gpu, slot);
	return vgpu_gpu_backing_take(
		gpu, call, slot, call->attach.n_entries,
		resource->kind == VGPU_GPU_KIND_BLOB ? resource->bytes : 0);
}

uint32_t vgpu_gpu_detach_backing(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);

	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (!gpu->state->resource[slot].backing && !call->is_retry)
		return VGPU_GPU_ERR_UNSPEC;
	vgpu_gpu_backing_drop(gpu, slot);
	return VGPU_GPU_OK_NODATA;
}

void vgpu_gpu_walk_init(struct vgpu_gpu_walk *walk, struct vgpu_gpu *gpu,
			uint32_t slot)
{
	uint64_t backing = gpu->state->resource[slot].backing;
	uint32_t first = backing >> 32;

	*walk = (struct vgpu_gpu_walk){
		.gpu = gpu,
		.entry = first,
		.end = first + (uint32_t)backing,
	};
}

bool vgpu_gpu_walk_copy(struct vgpu_gpu_walk *walk, uint64_t offset, void *to,
			uint64_t bytes)
{
	struct vgpu_gpu *gpu = walk->gpu;
	uint8_t *at = to;

	while (bytes > 0) {
		const struct vgpu_gpu_entry *entry;
		uint64_t skip, here, part;
		const void *from;

		if (walk->entry == walk->end)
			return false;
		entry = &gpu->state->entry[walk->entry];
		skip = offset - walk->base;
		if (skip >= entry->bytes) {
			walk->base += entry->bytes;
			walk->entry++;
			continue;
		}
		here = VGPU_MIN(entry->bytes - skip, bytes);
		from = gpu->ops->guest_range(gpu->opaque, entry->gpa + skip,
					     here, &part);
		if (!from)
			return false;
		here = part;
		memcpy(at, from, here);
		at += here;
		offset += here;
		bytes -= here;
	}
	return true;
}
