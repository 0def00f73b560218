/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framebuffer: 2D resources and the contexts' device memory, one quota. */
#include "device/gpu/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * A range is a 2D resource's, or device memory. Of the latter, `owner` is the
 * context's process until it frees it or is gone, and `users` counts the
 * guest's resources that name it: it is free when there is neither. As long as
 * it has an owner `number` is that of its allocation in the state, + 1.
 */

static_assert(VGPU_GPU_CONTEXTS_MAX < VGPU_GPU_OWNER_NOBODY, "indices + 1");

/* The owner of what nobody's process may still use. */
static const char nobody;

/* Names of charges; no offset in a framebuffer is as large. */
#define CHARGE (1ULL << 62)

int vgpu_gpu_storage_init(struct vgpu_gpu *gpu, uint64_t framebuffer_bytes)
{
	size_t n_max = VGPU_GPU_RESOURCES_MAX + VGPU_GPU_PIECES_MAX;

	if (gpu->config.render)
		n_max += VGPU_GPU_ALLOCATIONS_MAX;
	if (vgpu_gpu_extents_init(&gpu->storage, framebuffer_bytes, n_max) < 0 ||
	    vgpu_gpu_arena_init(gpu) < 0)
		return -ENOMEM;
	if (gpu->config.render) {
		gpu->next_allocation = calloc(VGPU_GPU_ALLOCATIONS_TABLE,
					      sizeof(gpu->next_allocation[0]));
		if (!gpu->next_allocation)
			return -ENOMEM;
	}
	return vgpu_gpu_extents_init(&gpu->charges, CHARGE,
				     VGPU_GPU_ALLOCATIONS_MAX);
}

void vgpu_gpu_storage_finish(struct vgpu_gpu *gpu)
{
	vgpu_gpu_arena_finish(gpu);
	vgpu_gpu_extents_finish(&gpu->storage);
	vgpu_gpu_extents_finish(&gpu->charges);
	free(gpu->next_allocation);
}

void vgpu_gpu_storage_clear(struct vgpu_gpu *gpu)
{
	vgpu_gpu_extents_clear(&gpu->storage);
	vgpu_gpu_arena_clear(gpu);
	vgpu_gpu_extents_clear(&gpu->charges);
	gpu->free_allocation = 0;
}

static struct vgpu_gpu_extents *extents_of(struct vgpu_gpu *gpu, uint64_t offset)
{
	if (offset & CHARGE)
		return &gpu->charges;
	return offset < gpu->storage.total ? &gpu->storage : &gpu->arena;
}

/* A range of the memory itself; NULL if there is none. */
static struct vgpu_gpu_extent *find_range(struct vgpu_gpu *gpu, uint64_t offset)
{
	if (offset & CHARGE)
		return NULL;
	return vgpu_gpu_extents_find(extents_of(gpu, offset), offset);
}

/* The range that is known as @offset is nobody's any more. */
static void drop(struct vgpu_gpu *gpu, uint64_t offset)
{
	struct vgpu_gpu_extents *extents = extents_of(gpu, offset);
	const struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(extents, offset & ~CHARGE);
	if (extents == &gpu->arena)
		vgpu_gpu_arena_release(gpu, offset, extent->size);
	vgpu_gpu_extents_free(extents, offset & ~CHARGE);
}

static void free_allocation(struct vgpu_gpu *gpu, uint32_t number)
{
	gpu->next_allocation[number - 1] = gpu->free_allocation;
	gpu->free_allocation = number;
}

/* Whoever owns @extent owns it no more. */
static void disown(struct vgpu_gpu *gpu, struct vgpu_gpu_extent *extent)
{
	uint32_t number = extent->number;

	extent->owner = NULL;
	extent->number = 0;
	if (!number)
		return;
	vgpu_gpu_commit(&gpu->state->allocation[number - 1].owner, 0u);
	free_allocation(gpu, number);
}

/* @extent is @owner's, and known to it as @offset. */
static int own(struct vgpu_gpu *gpu, struct vgpu_gpu_extent *extent,
	       const struct vgpu_render *owner, uint64_t offset,
	       uint64_t question)
{
	struct vgpu_gpu_state *state = gpu->state;
	uint32_t index = vgpu_gpu_context_index(gpu, owner);
	uint32_t number = gpu->free_allocation;
	struct vgpu_gpu_state_allocation *allocation;

	if (index == VGPU_GPU_NO_SLOT ||
	    (!number && state->allocations_used == VGPU_GPU_ALLOCATIONS_TABLE))
		return -ENOMEM;
	if (number)
		gpu->free_allocation = gpu->next_allocation[number - 1];
	else
		number = state->allocations_used + 1;
	allocation = &state->allocation[number - 1];
	*allocation = (struct vgpu_gpu_state_allocation){
		.offset = offset,
		.bytes = extent->size,
		.question = question,
	};
	if (number > state->allocations_used)
		vgpu_gpu_commit(&state->allocations_used, number);
	extent->owner = owner;
	extent->number = number;
	vgpu_gpu_commit(&allocation->owner, index + 1);
	return 0;
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

	if (!has_quota(gpu, bytes))
		return -ENOMEM;
	if (vgpu_gpu_extents_alloc(&gpu->storage, bytes, &offset) < 0) {
		*ret_is_zero = false;
		return vgpu_gpu_arena_alloc(gpu, bytes, ret_offset);
	}
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
	find_range(gpu, *ret_offset)->users = 1;
	/* The picture of a resource before it must not show. */
	if (!is_zero)
		memset(vgpu_gpu_storage_address(gpu, *ret_offset), 0, bytes);
	return 0;
}

uint64_t vgpu_gpu_storage_share(struct vgpu_gpu *gpu,
				const struct vgpu_render *owner, uint64_t offset)
{
	struct vgpu_gpu_extent *extent;

	extent = find_range(gpu, offset);
	if (!extent || extent->owner != owner)
		return 0;
	extent->users++;
	return extent->size;
}

/* Take exactly this range, as a predecessor had it. */
static bool claim_range(struct vgpu_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	struct vgpu_gpu_extents *extents = extents_of(gpu, offset);

	if (extents == &gpu->arena)
		return vgpu_gpu_arena_claim(gpu, offset, bytes);
	if (vgpu_gpu_extents_claim(extents, offset & ~CHARGE, bytes) < 0)
		return false;
	if (extents == &gpu->storage)
		gpu->state->storage_mark =
			VGPU_MAX(gpu->state->storage_mark, offset + bytes);
	return true;
}

bool vgpu_gpu_storage_claim(struct vgpu_gpu *gpu, uint64_t offset,
			    uint64_t bytes, bool is_shared)
{
	struct vgpu_gpu_extent *extent;

	extent = find_range(gpu, offset);
	if (extent && (!is_shared || extent->size != bytes))
		return false;
	if (!extent) {
		if ((offset & CHARGE) || !claim_range(gpu, offset, bytes))
			return false;
		extent = find_range(gpu, offset);
	}
	extent->users++;
	return true;
}

static void free_unused(struct vgpu_gpu *gpu, const struct vgpu_gpu_extent *extent)
{
	if (!extent->owner && !extent->users)
		drop(gpu, extent->offset);
}

void vgpu_gpu_storage_put(struct vgpu_gpu *gpu, uint64_t offset)
{
	struct vgpu_gpu_extent *extent;

	extent = find_range(gpu, offset);
	assert(extent && extent->users);
	extent->users--;
	free_unused(gpu, extent);
	gpu->ops->status_changed(gpu->opaque);
}

static int charge(struct vgpu_gpu *gpu, uint64_t bytes, uint64_t *ret_offset)
{
	uint64_t offset;

	if (!has_quota(gpu, bytes) ||
	    vgpu_gpu_extents_alloc(&gpu->charges, bytes, &offset) < 0)
		return -ENOMEM;
	*ret_offset = CHARGE | offset;
	return 0;
}

static int memory_alloc(void *opaque, struct vgpu_render *owner, uint64_t bytes,
			bool is_charge, uint64_t question, uint64_t *ret_offset,
			int *ret_fd, bool *ret_is_zero)
{
	struct vgpu_gpu *gpu = opaque;
	struct vgpu_gpu_extents *extents;
	bool is_zero = false;
	uint64_t offset;
	int r;

	if (bytes == 0 || bytes % VGPU_GPU_STORAGE_ALIGN != 0)
		return -EINVAL;
	r = is_charge ? charge(gpu, bytes, &offset)
		      : take(gpu, bytes, &offset, &is_zero);
	if (r < 0)
		return r;
	extents = extents_of(gpu, offset);
	r = own(gpu, vgpu_gpu_extents_find(extents, offset & ~CHARGE), owner,
		offset, question);
	if (r < 0) {
		drop(gpu, offset);
		return r;
	}
	*ret_offset = offset;
	*ret_fd = -1;
	*ret_is_zero = is_zero;
	gpu->ops->status_changed(gpu->opaque);
	return 0;
}

static int memory_find(void *opaque, struct vgpu_render *owner,
		       uint64_t question, uint64_t *ret_offset)
{
	struct vgpu_gpu *gpu = opaque;
	uint32_t index = vgpu_gpu_context_index(gpu, owner);

	for (uint32_t i = 0; i < gpu->state->allocations_used; i++) {
		const struct vgpu_gpu_state_allocation *allocation;

		allocation = &gpu->state->allocation[i];
		if (index == VGPU_GPU_NO_SLOT || allocation->owner != index + 1 ||
		    allocation->question != question)
			continue;
		*ret_offset = allocation->offset;
		return 0;
	}
	return -ENOENT;
}

static int64_t memory_free(void *opaque, struct vgpu_render *owner,
			   uint64_t offset)
{
	struct vgpu_gpu *gpu = opaque;
	struct vgpu_gpu_extents *extents = extents_of(gpu, offset);
	struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(extents, offset & ~CHARGE);
	if (!extent || extent->owner != owner)
		return -EINVAL;
	disown(gpu, extent);
	if (extents == &gpu->charges)
		drop(gpu, offset);
	else
		free_unused(gpu, extent);
	gpu->ops->status_changed(gpu->opaque);
	return 0;
}

/* All of @owner's at once: a context can have many. */
static void disown_all(struct vgpu_gpu *gpu, struct vgpu_gpu_extents *extents,
		       const struct vgpu_render *owner)
{
	for (size_t i = 0; i < extents->n; i++) {
		struct vgpu_gpu_extent *extent = &extents->extent[i];

		if (extent->owner != owner)
			continue;
		disown(gpu, extent);
		if (extents == &gpu->arena && !extent->users)
			vgpu_gpu_arena_release(gpu, extent->offset, extent->size);
	}
	vgpu_gpu_extents_sweep(extents);
}

static void memory_free_all(void *opaque, struct vgpu_render *owner)
{
	struct vgpu_gpu *gpu = opaque;

	disown_all(gpu, &gpu->storage, owner);
	disown_all(gpu, &gpu->arena, owner);
	disown_all(gpu, &gpu->charges, owner);
	gpu->ops->status_changed(gpu->opaque);
}

void vgpu_gpu_storage_abandon(struct vgpu_gpu *gpu, uint32_t index)
{
	for (uint32_t i = 0; i < gpu->state->allocations_used; i++) {
		struct vgpu_gpu_state_allocation *allocation;

		allocation = &gpu->state->allocation[i];
		if (allocation->owner != index + 1)
			continue;
		allocation->question = gpu->state->context[index].render.process;
		vgpu_gpu_commit(&allocation->owner, VGPU_GPU_OWNER_NOBODY);
	}
}

/* Whether the process that it was left with may still use it. */
static bool is_in_use(struct vgpu_gpu *gpu,
		      const struct vgpu_gpu_state_allocation *allocation)
{
	/* They come in no order, but there is hardly ever more than one. */
	if (gpu->last_ended != allocation->question &&
	    vgpu_render_end_process(&gpu->render, allocation->question))
		gpu->last_ended = allocation->question;
	return gpu->last_ended != allocation->question;
}

/* Returns whether it can be somebody's, who it is now. */
static bool claim(struct vgpu_gpu *gpu, uint32_t number, const void *owner)
{
	const struct vgpu_gpu_state_allocation *allocation;
	struct vgpu_gpu_extents *extents;
	struct vgpu_gpu_extent *extent;
	uint64_t offset;

	allocation = &gpu->state->allocation[number - 1];
	extents = extents_of(gpu, allocation->offset);
	offset = allocation->offset & ~CHARGE;
	if (offset % VGPU_GPU_STORAGE_ALIGN != 0 ||
	    allocation->bytes % VGPU_GPU_STORAGE_ALIGN != 0 ||
	    !has_quota(gpu, allocation->bytes) ||
	    !claim_range(gpu, allocation->offset, allocation->bytes))
		return false;
	extent = vgpu_gpu_extents_find(extents, offset);
	extent->owner = owner;
	extent->number = number;
	return true;
}

static void resume_allocation(struct vgpu_gpu *gpu, uint32_t number)
{
	struct vgpu_gpu_state_allocation *allocation;
	const void *who = NULL;
	uint32_t *owner, index;

	allocation = &gpu->state->allocation[number - 1];
	owner = &allocation->owner;
	index = *owner - 1;
	if (*owner == VGPU_GPU_OWNER_NOBODY)
		who = is_in_use(gpu, allocation) ? &nobody : NULL;
	else if (*owner)
		who = vgpu_gpu_context_owner(gpu, index);
	if (who && claim(gpu, number, who))
		return;
	/* Its process goes on using it, and somebody else may get it. */
	if (who && who != &nobody)
		vgpu_gpu_context_refuse(gpu, index,
					"the state says that it has memory which"
					" it cannot have");
	vgpu_gpu_commit(owner, 0u);
	free_allocation(gpu, number);
}

static int compare_offsets(const void *a, const void *b, void *opaque)
{
	const struct vgpu_gpu_state_allocation *table = opaque;
	uint64_t first = table[*(const uint32_t *)a - 1].offset;
	uint64_t second = table[*(const uint32_t *)b - 1].offset;

	return (first > second) - (first < second);
}

int vgpu_gpu_storage_resume(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;
	uint32_t n = state->allocations_used;
	vgpu_autofree uint32_t *order = NULL;

	if (!gpu->next_allocation)
		n = 0;
	vgpu_gpu_commit(&state->allocations_used, n);
	if (!n)
		return 0;
	order = calloc(n, sizeof(*order));
	if (!order)
		return -ENOMEM;
	/* In order, so that none has to be put between others. */
	for (uint32_t i = 0; i < n; i++)
		order[i] = i + 1;
	qsort_r(order, n, sizeof(*order), compare_offsets, state->allocation);
	for (uint32_t i = 0; i < n; i++)
		resume_allocation(gpu, order[i]);
	return 0;
}

const struct vgpu_render_memory_ops vgpu_gpu_memory_ops = {
	.alloc = memory_alloc,
	.find = memory_find,
	.free = memory_free,
	.free_all = memory_free_all,
	.pieces = vgpu_gpu_arena_pieces,
};
