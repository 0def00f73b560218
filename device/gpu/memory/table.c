/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resource table: ids to slots, and which slots are free. */
#include "device/gpu/memory/memory.h"

#include <string.h>

static uint32_t hash(uint32_t id)
{
	static_assert(VGPU_GPU_RESOURCES_MAX == 1u << 12, "bits of the hash");

	/* Guests count ids up: any odd multiplier spreads those well. */
	return (id * 2654435769u) >> (32 - 12);
}

uint32_t vgpu_gpu_slot_find(const struct vgpu_gpu *gpu, uint32_t id)
{
	if (id == 0)
		return VGPU_GPU_NO_SLOT;
	for (uint32_t at = gpu->chain[hash(id)]; at; at = gpu->slot[at - 1].next)
		if (gpu->state->resource[at - 1].id == id)
			return at - 1;
	return VGPU_GPU_NO_SLOT;
}

struct vgpu_gpu_state_resource *vgpu_gpu_resource_find(struct vgpu_gpu *gpu,
						       uint32_t id)
{
	uint32_t slot = vgpu_gpu_slot_find(gpu, id);

	return slot == VGPU_GPU_NO_SLOT ? NULL : &gpu->state->resource[slot];
}

uint32_t vgpu_gpu_slot_get(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;
	uint32_t slot;

	if (gpu->free_slot) {
		slot = gpu->free_slot - 1;
		gpu->free_slot = gpu->slot[slot].next;
		memset(&state->resource[slot], 0, sizeof(state->resource[0]));
	} else if (state->slots_used < VGPU_GPU_RESOURCES_MAX) {
		slot = state->slots_used;
		/* Zero what may be left in the block. */
		memset(&state->resource[slot], 0, sizeof(state->resource[0]));
		vgpu_gpu_commit(&state->slots_used, slot + 1);
	} else {
		return VGPU_GPU_NO_SLOT;
	}
	gpu->slot[slot] = (struct vgpu_gpu_slot){};
	return slot;
}

void vgpu_gpu_slot_put(struct vgpu_gpu *gpu, uint32_t slot, uint32_t id)
{
	uint32_t *chain = &gpu->chain[hash(id)];

	gpu->slot[slot].next = *chain;
	*chain = slot + 1;
	vgpu_gpu_commit(&gpu->state->resource[slot].id, id);
}

void vgpu_gpu_slot_abandon(struct vgpu_gpu *gpu, uint32_t slot)
{
	gpu->slot[slot].next = gpu->free_slot;
	gpu->free_slot = slot + 1;
}

void vgpu_gpu_slot_drop(struct vgpu_gpu *gpu, uint32_t slot)
{
	struct vgpu_gpu_state_resource *resource = &gpu->state->resource[slot];
	uint32_t *link = &gpu->chain[hash(resource->id)];

	while (*link != slot + 1)
		link = &gpu->slot[*link - 1].next;
	*link = gpu->slot[slot].next;
	/* This ends storage and backing too: they are the resource's. */
	vgpu_gpu_commit(&resource->id, 0u);
	if (resource->kind == VGPU_GPU_KIND_2D ||
	    resource->kind == VGPU_GPU_KIND_MEMORY)
		vgpu_gpu_storage_put(gpu, resource->storage);
	vgpu_gpu_shared_drop(gpu, slot);
	if (resource->backing)
		vgpu_gpu_extents_free(&gpu->entries, resource->backing >> 32);
	vgpu_gpu_slot_abandon(gpu, slot);
}

void vgpu_gpu_table_clear(struct vgpu_gpu *gpu)
{
	/* Slots that were dropped have no fd any more. */
	for (uint32_t slot = 0; slot < VGPU_GPU_RESOURCES_MAX; slot++)
		vgpu_gpu_shared_drop(gpu, slot);
	memset(gpu->chain, 0, sizeof(gpu->chain));
	gpu->free_slot = 0;
}
