/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blobs mapped into the host-visible window. */
#include "device/gpu/memory/memory.h"

#include <assert.h>

static struct vgpu_gpu_mapping mapping_of(const struct vgpu_gpu *gpu,
					  uint32_t slot)
{
	const struct vgpu_gpu_state_resource *resource;

	resource = &gpu->state->resource[slot];
	return (struct vgpu_gpu_mapping){
		.window_offset = resource->window & ~VGPU_GPU_WINDOW_MAPPED,
		.bytes = resource->bytes,
		/* A stranger may have written it. */
		.program = resource->program % VGPU_GPU_PROGRAMS,
		.fd = vgpu_gpu_resource_fd(gpu, slot),
	};
}

static void forget_mapping(struct vgpu_gpu *gpu, uint32_t slot)
{
	uint64_t *window = &gpu->state->resource[slot].window;
	uint64_t offset = *window & ~VGPU_GPU_WINDOW_MAPPED;

	if (!*window)
		return;
	vgpu_gpu_commit(window, (uint64_t)0);
	vgpu_gpu_extents_free(&gpu->window, offset);
}

static uint32_t
change_window(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call, uint32_t slot,
	      int (*operation)(void *opaque, uint64_t cookie,
			       const struct vgpu_gpu_mapping *mapping))
{
	const struct vgpu_gpu_mapping mapping = mapping_of(gpu, slot);
	struct vgpu_gpu_pending *pending;

	pending = vgpu_gpu_park_running(gpu, call);
	if (!pending)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	pending->cookie = ++gpu->last_cookie;
	if (operation(gpu->opaque, pending->cookie, &mapping) == 0)
		return VGPU_GPU_LATER;
	vgpu_gpu_unpark(gpu, call, pending);
	call->is_blameless = true;
	return VGPU_GPU_ERR_UNSPEC;
}

static uint32_t map_in_window(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			      uint32_t slot)
{
	uint32_t answer = change_window(gpu, call, slot, gpu->ops->window_map);

	if (answer != VGPU_GPU_LATER)
		forget_mapping(gpu, slot);
	return answer;
}

uint32_t vgpu_gpu_resource_map_blob(struct vgpu_gpu *gpu,
				    struct vgpu_gpu_call *call)
{
	uint64_t offset = call->map_blob.offset;
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->map_blob.resource_id);
	struct vgpu_gpu_state_resource *resource;

	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	resource = &gpu->state->resource[slot];
	if (resource->kind != VGPU_GPU_KIND_SHARED &&
	    resource->kind != VGPU_GPU_KIND_MEMORY)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (resource->kind == VGPU_GPU_KIND_SHARED &&
	    !gpu->slot[slot].shared_plus_1) {
		call->is_blameless = true;
		return VGPU_GPU_ERR_UNSPEC;
	}
	if (resource->window) {
		if (!call->is_retry ||
		    resource->window != (offset | VGPU_GPU_WINDOW_MAPPED))
			return VGPU_GPU_ERR_UNSPEC;
		/* A predecessor may have mapped it: unmap it first. */
		return vgpu_gpu_window_leave(gpu, call, slot);
	}
	if (offset % VGPU_GPU_PAGE != 0 ||
	    vgpu_gpu_extents_claim(&gpu->window, offset, resource->bytes) < 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	vgpu_gpu_commit(&resource->window, offset | VGPU_GPU_WINDOW_MAPPED);
	call->is_retry = false; /* nothing of it was done */
	return map_in_window(gpu, call, slot);
}

uint32_t vgpu_gpu_window_leave(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot)
{
	return change_window(gpu, call, slot, gpu->ops->window_unmap);
}

uint32_t vgpu_gpu_resource_unmap_blob(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);

	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (!gpu->state->resource[slot].window)
		return call->is_retry ? VGPU_GPU_OK_NODATA : VGPU_GPU_ERR_UNSPEC;
	return vgpu_gpu_window_leave(gpu, call, slot);
}

/* Continue @pending after the window has answered. */
static uint32_t continue_call(struct vgpu_gpu *gpu,
			      struct vgpu_gpu_pending *pending, int status)
{
	struct vgpu_gpu_call *call = &pending->call;
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);

	assert(slot != VGPU_GPU_NO_SLOT);
	switch (call->header.type) {
	case VGPU_GPU_RESOURCE_MAP_BLOB:
		if (call->is_retry) {
			/* It is unmapped for certain now: map it. */
			call->is_retry = false;
			return map_in_window(gpu, call, slot);
		}
		if (status < 0) {
			forget_mapping(gpu, slot);
			call->is_blameless = true;
			return VGPU_GPU_ERR_UNSPEC;
		}
		call->answer.map_info.map_info = VGPU_GPU_MAP_CACHED;
		return VGPU_GPU_OK_MAP_INFO;
	case VGPU_GPU_RESOURCE_UNREF:
		forget_mapping(gpu, slot);
		vgpu_gpu_slot_drop(gpu, slot);
		return VGPU_GPU_OK_NODATA;
	default:
		/* What the VMM cannot unmap was not mapped. */
		forget_mapping(gpu, slot);
		return VGPU_GPU_OK_NODATA;
	}
}

void vgpu_gpu_window_done(struct vgpu_gpu *gpu, uint64_t cookie, int status)
{
	struct vgpu_gpu_pending *pending = TAILQ_FIRST(&gpu->pendings);
	uint32_t answer;

	while (pending && !(pending->is_running && pending->cookie == cookie))
		pending = TAILQ_NEXT(pending, entry);
	if (!pending)
		return;
	answer = continue_call(gpu, pending, status);
	if (answer == VGPU_GPU_LATER)
		return;
	vgpu_gpu_finish(gpu, &gpu->pendings, pending, answer);
	vgpu_gpu_run_waiting(gpu);
}

bool vgpu_gpu_window_resume(struct vgpu_gpu *gpu, uint32_t slot)
{
	const struct vgpu_gpu_state_resource *resource;
	struct vgpu_gpu_mapping mapping;
	uint64_t offset;

	resource = &gpu->state->resource[slot];
	offset = resource->window & ~VGPU_GPU_WINDOW_MAPPED;
	if (!(resource->window & VGPU_GPU_WINDOW_MAPPED) ||
	    offset % VGPU_GPU_PAGE != 0 ||
	    (resource->kind != VGPU_GPU_KIND_SHARED &&
	     resource->kind != VGPU_GPU_KIND_MEMORY) ||
	    vgpu_gpu_extents_claim(&gpu->window, offset, resource->bytes) < 0)
		return false;
	mapping = mapping_of(gpu, slot);
	gpu->ops->window_resume(gpu->opaque, &mapping);
	return true;
}
