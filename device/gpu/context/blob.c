/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RESOURCE_CREATE_BLOB: guest memory, memory shared with contexts, or a
 * context's device memory.
 */
#include "device/gpu/context/context.h"

#include <sys/stat.h>

#include "device/gpu/memory/memory.h"
#include "device/render/host_memory.h"
#include "device/render/launcher.h"
#include "device/render/own_memory.h"
#include "device/render/render.h"
#include "lib/type.h"

/*
 * Get a slot for a new blob, to be put when it is complete. On failure returns
 * NO_SLOT, with *ret_answer set.
 */
static uint32_t get_blob_slot(struct vgpu_gpu *gpu, uint32_t kind,
			      uint64_t bytes, uint32_t *ret_answer)
{
	uint32_t slot = vgpu_gpu_slot_get(gpu);
	struct vgpu_gpu_state_resource *resource;

	if (slot == VGPU_GPU_NO_SLOT) {
		*ret_answer = VGPU_GPU_ERR_OUT_OF_MEMORY;
		return slot;
	}
	resource = &gpu->state->resource[slot];
	resource->kind = kind;
	resource->bytes = bytes;
	return slot;
}

static uint32_t create_guest(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_create_blob *create = &call->create_blob;
	uint32_t answer;
	uint32_t slot =
		get_blob_slot(gpu, VGPU_GPU_KIND_BLOB, create->bytes, &answer);

	if (slot == VGPU_GPU_NO_SLOT)
		return answer;
	answer = vgpu_gpu_backing_take(gpu, call, slot, create->n_entries,
				       create->bytes);
	if (answer != VGPU_GPU_OK_NODATA) {
		vgpu_gpu_slot_abandon(gpu, slot);
		return answer;
	}
	vgpu_gpu_slot_put(gpu, slot, create->resource_id);
	return VGPU_GPU_OK_NODATA;
}

/* For rings, streams and replies: host memory, charged to the vGPU's limit. */
static uint32_t create_shared(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_create_blob *create = &call->create_blob;
	uint32_t slot, answer = VGPU_GPU_ERR_OUT_OF_MEMORY;
	struct stat st;
	int fd;

	if (create->blob_flags != VGPU_GPU_BLOB_MAPPABLE)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (create->bytes > VGPU_SHARED_MEMORY_MAX - gpu->shared_bytes)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	if (!vgpu_host_memory_charge(gpu->config.render->host_memory,
				     create->bytes))
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	fd = vgpu_sealed_memfd("vgpu-shared", create->bytes);
	slot = fd < 0 ? VGPU_GPU_NO_SLOT
		      : get_blob_slot(gpu, VGPU_GPU_KIND_SHARED, create->bytes,
				      &answer);
	if (slot == VGPU_GPU_NO_SLOT) {
		vgpu_host_memory_uncharge(gpu->config.render->host_memory,
					  create->bytes);
		vgpu_close(fd);
		return answer;
	}
	gpu->slot[slot].shared_plus_1 = fd + 1;
	gpu->state->resource[slot].program =
		vgpu_gpu_context_program(gpu, call->header.ctx_id);
	gpu->shared_bytes += create->bytes;
	if (fstat(fd, &st) == 0)
		gpu->state->resource[slot].storage = st.st_ino;
	vgpu_launcher_keep(gpu->config.launcher, slot, fd);
	vgpu_gpu_slot_put(gpu, slot, create->resource_id);
	return VGPU_GPU_OK_NODATA;
}

static uint32_t create_host3d(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_create_blob *create = &call->create_blob;
	struct vgpu_render *render;
	uint32_t answer;
	int r;

	render = vgpu_gpu_context_render(gpu, call, &answer);
	if (!render)
		return answer;
	if (create->n_entries || create->bytes % VGPU_GPU_PAGE != 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (create->blob_id == 0)
		return create_shared(gpu, call);
	if (create->bytes > gpu->config.framebuffer_bytes)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	r = vgpu_render_export(render, create->blob_id, create->resource_id,
			       create->bytes, call->request->token);
	if (r == -EAGAIN)
		return vgpu_gpu_context_again(gpu, call);
	if (r < 0) {
		call->is_blameless = true;
		return VGPU_GPU_ERR_UNSPEC;
	}
	/* The answer to it will find nobody, then. */
	if (!vgpu_gpu_park_running(gpu, call))
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	return VGPU_GPU_LATER;
}

static uint32_t take_export(struct vgpu_gpu *gpu,
			    const struct vgpu_gpu_create_blob *create,
			    const struct vgpu_render *render, int status,
			    uint64_t number, uint64_t bytes)
{
	struct vgpu_gpu_state_resource *resource;
	uint64_t storage_bytes;
	uint32_t slot, answer;

	if (status < 0)
		return status == -ENOMEM ? VGPU_GPU_ERR_OUT_OF_MEMORY
					 : VGPU_GPU_ERR_INVALID_PARAMETER;
	if (create->bytes > bytes)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	slot = get_blob_slot(gpu, VGPU_GPU_KIND_MEMORY, create->bytes, &answer);
	if (slot == VGPU_GPU_NO_SLOT)
		return answer;
	storage_bytes = vgpu_gpu_storage_share(gpu, render, number);
	if (storage_bytes < create->bytes) {
		if (storage_bytes)
			vgpu_gpu_storage_put(gpu, number);
		vgpu_gpu_slot_abandon(gpu, slot);
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	}
	resource = &gpu->state->resource[slot];
	resource->storage = number;
	resource->program = vgpu_gpu_context_index(gpu, render) + 1;
	vgpu_gpu_slot_put(gpu, slot, create->resource_id);
	return VGPU_GPU_OK_NODATA;
}

/* The pending RESOURCE_CREATE_BLOB that waits for this export, or NULL. */
static struct vgpu_gpu_pending *
find_creation(struct vgpu_gpu *gpu, uint32_t context, uint32_t resource_id)
{
	struct vgpu_gpu_pending *pending = TAILQ_FIRST(&gpu->pendings);

	while (pending &&
	       !(pending->is_running && pending->resource == resource_id &&
		 pending->call.header.type == VGPU_GPU_RESOURCE_CREATE_BLOB &&
		 pending->call.header.ctx_id == context))
		pending = TAILQ_NEXT(pending, entry);
	return pending;
}

void vgpu_gpu_finish_export(struct vgpu_gpu *gpu, uint32_t context,
			    const struct vgpu_render *render,
			    uint32_t resource_id, int status, uint64_t number,
			    uint64_t bytes)
{
	struct vgpu_gpu_pending *pending =
		find_creation(gpu, context, resource_id);

	if (!pending)
		return;
	vgpu_gpu_finish(gpu, &gpu->pendings, pending,
			take_export(gpu, &pending->call.create_blob, render,
				    status, number, bytes));
	vgpu_gpu_run_waiting(gpu);
}

static uint32_t kind_of(const struct vgpu_gpu_create_blob *create)
{
	if (create->blob_mem == VGPU_GPU_BLOB_MEM_GUEST)
		return VGPU_GPU_KIND_BLOB;
	return create->blob_id ? VGPU_GPU_KIND_MEMORY : VGPU_GPU_KIND_SHARED;
}

uint32_t vgpu_gpu_resource_create_blob(struct vgpu_gpu *gpu,
				       struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_create_blob *create = &call->create_blob;
	const struct vgpu_gpu_state_resource *resource;

	if (create->resource_id == 0)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	resource = vgpu_gpu_resource_find(gpu, create->resource_id);
	if (resource) {
		if (call->is_retry && resource->kind == kind_of(create) &&
		    resource->bytes == create->bytes)
			return VGPU_GPU_OK_NODATA;
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	}
	if ((create->blob_flags & ~VGPU_GPU_BLOB_FLAGS) || create->bytes == 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (create->blob_mem == VGPU_GPU_BLOB_MEM_GUEST)
		return create_guest(gpu, call);
	if (create->blob_mem == VGPU_GPU_BLOB_MEM_HOST3D && gpu->config.render)
		return create_host3d(gpu, call);
	return VGPU_GPU_ERR_INVALID_PARAMETER;
}
