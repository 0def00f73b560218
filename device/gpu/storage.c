/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framebuffer: 2D resources and the contexts' device memory, one quota. */
#include "device/gpu/internal.h"

#include <assert.h>
#include <string.h>

/*
 * A range is a 2D resource's, or device memory. Of the latter, `owner` is the
 * context's process until it frees it or is gone, and `users` counts the
 * guest's resources that name it: it is free when there is neither.
 */

/* Names of charges; no offset in a framebuffer is as large. */
#define CHARGE (1ULL << 62)

int vgpu_gpu_storage_init(struct vgpu_gpu *gpu, uint64_t framebuffer_bytes)
{
	size_t n_max = VGPU_GPU_RESOURCES_MAX;

	if (gpu->config.render)
		n_max += VGPU_GPU_ALLOCATIONS_MAX;
	if (vgpu_gpu_extents_init(&gpu->storage, framebuffer_bytes, n_max) < 0)
		return -ENOMEM;
	return vgpu_gpu_extents_init(&gpu->charges, CHARGE,
				     VGPU_GPU_ALLOCATIONS_MAX);
}

void vgpu_gpu_storage_finish(struct vgpu_gpu *gpu)
{
	vgpu_gpu_extents_finish(&gpu->storage);
	vgpu_gpu_extents_finish(&gpu->charges);
}

void vgpu_gpu_storage_clear(struct vgpu_gpu *gpu)
{
	vgpu_gpu_extents_clear(&gpu->storage);
	vgpu_gpu_extents_clear(&gpu->charges);
}

uint64_t vgpu_gpu_storage_used(const struct vgpu_gpu *gpu)
{
	return gpu->storage.used + gpu->charges.used;
}

static bool has_quota(const struct vgpu_gpu *gpu, uint64_t bytes)
{
	return bytes <= gpu->storage.total - vgpu_gpu_storage_used(gpu);
}

/* *ret_is_zero: nobody had any of it before. */
static int take(struct vgpu_gpu *gpu, uint64_t bytes, uint64_t *ret_offset,
		bool *ret_is_zero)
{
	uint64_t *mark = &gpu->state->storage_mark;
	uint64_t offset;

	if (!has_quota(gpu, bytes) ||
	    vgpu_gpu_extents_alloc(&gpu->storage, bytes, &offset) < 0)
		return -ENOMEM;
	*ret_is_zero = offset >= *mark;
	if (offset + bytes > *mark)
		vgpu_gpu_commit(mark, offset + bytes);
	*ret_offset = offset;
	return 0;
}

int vgpu_gpu_storage_take(struct vgpu_gpu *gpu, uint64_t bytes,
			  uint64_t *ret_offset)
{
	bool is_zero;
	int r = take(gpu, vgpu_gpu_storage_bytes(bytes), ret_offset, &is_zero);

	if (r < 0)
		return r;
	vgpu_gpu_extents_find(&gpu->storage, *ret_offset)->users = 1;
	/* The picture of a resource before it must not show. */
	if (!is_zero)
		memset(gpu->framebuffer + *ret_offset, 0, bytes);
	return 0;
}

uint64_t vgpu_gpu_storage_share(struct vgpu_gpu *gpu,
				const struct vgpu_render *owner, uint64_t offset)
{
	struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(&gpu->storage, offset);
	if (!extent || extent->owner != owner)
		return 0;
	extent->users++;
	return extent->size;
}

bool vgpu_gpu_storage_claim(struct vgpu_gpu *gpu, uint64_t offset,
			    uint64_t bytes, bool is_shared)
{
	struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(&gpu->storage, offset);
	if (extent && (!is_shared || extent->size != bytes))
		return false;
	if (!extent) {
		if (vgpu_gpu_extents_claim(&gpu->storage, offset, bytes) < 0)
			return false;
		extent = vgpu_gpu_extents_find(&gpu->storage, offset);
	}
	extent->users++;
	gpu->state->storage_mark =
		VGPU_MAX(gpu->state->storage_mark, offset + bytes);
	return true;
}

static void free_unused(struct vgpu_gpu *gpu, const struct vgpu_gpu_extent *extent)
{
	if (!extent->owner && !extent->users)
		vgpu_gpu_extents_free(&gpu->storage, extent->offset);
}

void vgpu_gpu_storage_put(struct vgpu_gpu *gpu, uint64_t offset)
{
	struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(&gpu->storage, offset);
	assert(extent && extent->users);
	extent->users--;
	free_unused(gpu, extent);
	gpu->ops->status_changed(gpu->opaque);
}

static int charge(struct vgpu_gpu *gpu, const struct vgpu_render *owner,
		  uint64_t bytes, uint64_t *ret_offset)
{
	uint64_t offset;

	if (!has_quota(gpu, bytes) ||
	    vgpu_gpu_extents_alloc(&gpu->charges, bytes, &offset) < 0)
		return -ENOMEM;
	vgpu_gpu_extents_find(&gpu->charges, offset)->owner = owner;
	*ret_offset = CHARGE | offset;
	return 0;
}

static int memory_alloc(void *opaque, struct vgpu_render *owner, uint64_t bytes,
			bool is_charge, uint64_t *ret_offset, int *ret_fd,
			bool *ret_is_zero)
{
	struct vgpu_gpu *gpu = opaque;
	int r;

	if (bytes == 0 || bytes % VGPU_GPU_STORAGE_ALIGN != 0)
		return -EINVAL;
	*ret_fd = -1;
	*ret_is_zero = false;
	if (is_charge) {
		r = charge(gpu, owner, bytes, ret_offset);
	} else {
		r = take(gpu, bytes, ret_offset, ret_is_zero);
		if (r == 0)
			vgpu_gpu_extents_find(&gpu->storage, *ret_offset)->owner =
				owner;
	}
	if (r == 0)
		gpu->ops->status_changed(gpu->opaque);
	return r;
}

static int64_t memory_free(void *opaque, struct vgpu_render *owner,
			   uint64_t offset)
{
	struct vgpu_gpu *gpu = opaque;
	struct vgpu_gpu_extents *extents;
	struct vgpu_gpu_extent *extent;

	extents = offset & CHARGE ? &gpu->charges : &gpu->storage;
	extent = vgpu_gpu_extents_find(extents, offset & ~CHARGE);
	if (!extent || extent->owner != owner)
		return -EINVAL;
	extent->owner = NULL;
	if (extents == &gpu->charges)
		vgpu_gpu_extents_free(extents, extent->offset);
	else
		free_unused(gpu, extent);
	gpu->ops->status_changed(gpu->opaque);
	return 0;
}

/* All of @owner's at once: a context can have many. */
static void disown(struct vgpu_gpu_extents *extents,
		   const struct vgpu_render *owner)
{
	size_t kept = 0;

	for (size_t i = 0; i < extents->n; i++) {
		struct vgpu_gpu_extent *extent = &extents->extent[i];

		if (extent->owner == owner)
			extent->owner = NULL;
		if (extent->owner || extent->users)
			extents->extent[kept++] = *extent;
		else
			extents->used -= extent->size;
	}
	extents->n = kept;
}

static void memory_free_all(void *opaque, struct vgpu_render *owner)
{
	struct vgpu_gpu *gpu = opaque;

	disown(&gpu->storage, owner);
	disown(&gpu->charges, owner);
	gpu->ops->status_changed(gpu->opaque);
}

const struct vgpu_render_memory_ops vgpu_gpu_memory_ops = {
	.alloc = memory_alloc,
	.free = memory_free,
	.free_all = memory_free_all,
};
