/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resumes from a predecessor's state block, without trusting any of it. */
#include "device/gpu/internal.h"

#include "device/gpu/context/context.h"
#include "device/gpu/display/display.h"
#include "device/gpu/memory/memory.h"

static void begin_state(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;

	vgpu_gpu_commit(&state->magic, 0u);
	state->events_read = 0;
	state->features = 0;
	state->commands = 0;
	state->errors = 0;
	state->slots_used = 0;
	state->allocations_used = 0;
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++)
		state->context[i].id = 0;
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++) {
		struct vgpu_gpu_state_head *at = &state->head[head];

		at->view_in_use = 0;
		at->cursor_in_use = 0;
		at->is_away = 0;
		at->cursor_position = 0;
		at->preferred = head < gpu->config.heads
					? vgpu_gpu_head_first_mode(gpu, head)
					: 0;
	}
	vgpu_gpu_commit(&state->magic, VGPU_GPU_STATE_MAGIC);
	if (!gpu->config.is_framebuffer_new)
		vgpu_reserve_resume(gpu->config.reserve, 0);
}

/* Drop the backing if no attach could have made it. */
static void resume_backing(struct vgpu_gpu *gpu, uint32_t slot)
{
	struct vgpu_gpu_state_resource *resource = &gpu->state->resource[slot];
	uint32_t first = resource->backing >> 32;
	uint32_t n = (uint32_t)resource->backing;
	uint64_t bytes = 0;

	if (!resource->backing)
		return;
	if (vgpu_gpu_extents_claim(&gpu->entries, first, n) < 0) {
		vgpu_gpu_commit(&resource->backing, (uint64_t)0);
		return;
	}
	for (uint32_t i = first; i < first + n; i++) {
		if (!vgpu_gpu_entry_is_valid(&gpu->state->entry[i])) {
			vgpu_gpu_backing_drop(gpu, slot);
			return;
		}
		bytes += gpu->state->entry[i].bytes;
	}
	if (resource->kind == VGPU_GPU_KIND_BLOB && bytes < resource->bytes) {
		vgpu_gpu_backing_drop(gpu, slot);
		return;
	}
	gpu->slot[slot].backing_bytes = bytes;
}

static bool is_host3d(const struct vgpu_gpu *gpu,
		      const struct vgpu_gpu_state_resource *resource)
{
	return gpu->config.render && resource->bytes > 0 &&
	       resource->bytes % VGPU_GPU_PAGE == 0;
}

/*
 * Its pixels, or black ones if those are lost with the launcher: the guest goes
 * on drawing. False if what the state says cannot be.
 */
static bool resume_2d(struct vgpu_gpu *gpu,
		      struct vgpu_gpu_state_resource *resource)
{
	uint64_t bytes;

	if (!vgpu_gpu_2d_bytes(resource->format, resource->width,
			       resource->height, &bytes) ||
	    bytes != resource->bytes)
		return false;
	return vgpu_gpu_storage_claim(gpu, resource->storage, bytes,
				      /* is_shared= */ false) ||
	       vgpu_gpu_storage_take(gpu, bytes, &resource->storage) == 0;
}

/*
 * Its file, or none if that is lost with the launcher, as shared memory may have
 * lost its: the guest still has the name, and what it maps is unmapped by it.
 */
static void resume_memory(struct vgpu_gpu *gpu,
			  struct vgpu_gpu_state_resource *resource)
{
	if (vgpu_gpu_storage_claim(gpu, resource->storage, resource->bytes,
				   /* is_shared= */ true))
		return;
	vgpu_gpu_commit(&resource->storage, (uint64_t)0);
	vgpu_gpu_commit(&resource->kind, (uint32_t)VGPU_GPU_KIND_SHARED);
}

/* False if the slot holds no resource, or one that could not have been made. */
static bool resume_resource(struct vgpu_gpu *gpu, uint32_t slot)
{
	struct vgpu_gpu_state_resource *resource = &gpu->state->resource[slot];

	if (resource->id == 0 ||
	    vgpu_gpu_slot_find(gpu, resource->id) != VGPU_GPU_NO_SLOT)
		return false;
	switch (resource->kind) {
	case VGPU_GPU_KIND_2D:
		if (!resume_2d(gpu, resource))
			return false;
		break;
	case VGPU_GPU_KIND_BLOB:
		if (resource->bytes == 0)
			return false;
		break;
	case VGPU_GPU_KIND_SHARED:
		if (!is_host3d(gpu, resource))
			return false;
		break;
	case VGPU_GPU_KIND_MEMORY:
		if (!is_host3d(gpu, resource))
			return false;
		resume_memory(gpu, resource);
		break;
	default:
		return false;
	}
	if (resource->window && !vgpu_gpu_window_resume(gpu, slot))
		resource->window = 0;
	resume_backing(gpu, slot);
	vgpu_gpu_slot_put(gpu, slot, resource->id);
	return true;
}

static void resume_head(struct vgpu_gpu *gpu, uint32_t head)
{
	struct vgpu_gpu_state_head *at = &gpu->state->head[head];
	uint32_t width, height;

	if (head >= gpu->config.heads) {
		at->preferred = 0;
		at->view_in_use = 0;
		at->cursor_in_use = 0;
		return;
	}
	vgpu_gpu_head_mode(gpu, head, &width, &height);
	if (at->preferred && !vgpu_gpu_mode_is_valid(gpu, width, height))
		at->preferred = vgpu_gpu_head_first_mode(gpu, head);

	if (at->view_in_use > VGPU_ARRAY_SIZE(at->view)) {
		at->view_in_use = 0;
	} else if (at->view_in_use) {
		const struct vgpu_gpu_state_view *view;
		const struct vgpu_gpu_state_resource *resource;

		view = &at->view[at->view_in_use - 1];
		resource = vgpu_gpu_resource_find(gpu, view->resource_id);
		if (!resource ||
		    vgpu_gpu_view_check(gpu, view,
					resource->kind != VGPU_GPU_KIND_2D) !=
			    VGPU_GPU_OK_NODATA)
			at->view_in_use = 0;
	}

	if (at->cursor_in_use > VGPU_ARRAY_SIZE(at->cursor))
		at->cursor_in_use = 0;
	for (unsigned int i = 0; i < VGPU_ARRAY_SIZE(at->cursor); i++) {
		at->cursor[i].hot_x %= VGPU_GPU_CURSOR_SIDE;
		at->cursor[i].hot_y %= VGPU_GPU_CURSOR_SIDE;
	}
}

int vgpu_gpu_resume(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;

	if (state->magic != VGPU_GPU_STATE_MAGIC) {
		begin_state(gpu);
		return 0;
	}
	state->features &= vgpu_gpu_features(gpu);
	state->events_read &= VGPU_GPU_EVENT_DISPLAY;
	state->slots_used = VGPU_MIN(state->slots_used, VGPU_GPU_RESOURCES_MAX);
	vgpu_gpu_contexts_resume(gpu);
	if (vgpu_gpu_storage_resume(gpu) < 0)
		return -ENOMEM;
	/* From the end, so that the lowest free slot is taken first. */
	for (uint32_t slot = state->slots_used; slot-- > 0;) {
		if (resume_resource(gpu, slot))
			continue;
		vgpu_gpu_commit(&state->resource[slot].id, 0u);
		vgpu_gpu_slot_abandon(gpu, slot);
	}
	vgpu_gpu_storage_settle(gpu);
	vgpu_gpu_shared_resume(gpu);
	vgpu_gpu_contexts_resume_resources(gpu);
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++)
		resume_head(gpu, head);
	return 0;
}
