/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a render process owes us: fences and exports that were asked for. */
#include "internal.h"

#include <limits.h>

#include "lib/util.h"

struct fence {
	STAILQ_ENTRY(fence) link;
	uint64_t wire_id;
	uint64_t id; /* its owner's */
	/* Ours: see is_bulk_out. The id is what was charged for the memfd. */
	bool is_internal;
};

struct export
{
	STAILQ_ENTRY(export) link;
	uint32_t resource_id;
	uint64_t bytes;
};

int vgpu_render_owe_fence(struct vgpu_render *render, uint32_t ring_idx,
			  uint64_t id, bool is_internal, uint64_t *ret_wire_id)
{
	struct fence *fence;

	if (render->n_fences >= FENCES_MAX)
		return -ENOBUFS;
	fence = malloc(sizeof(*fence));
	if (!fence)
		return -ENOMEM;
	/* Our own numbers, so that what comes back can be compared. */
	*fence = (struct fence){.wire_id = ++render->last_fence,
				.id = id,
				.is_internal = is_internal};
	STAILQ_INSERT_TAIL(&render->fences[ring_idx], fence, link);
	render->n_fences++;
	*ret_wire_id = fence->wire_id;
	return 0;
}

int vgpu_render_owe_export(struct vgpu_render *render, uint32_t resource_id,
			   uint64_t bytes)
{
	struct export *export;

	if (render->n_exports >= EXPORTS_MAX)
		return -ENOBUFS;
	export = malloc(sizeof(*export));
	if (!export)
		return -ENOMEM;
	*export = (struct export){.resource_id = resource_id, .bytes = bytes};
	STAILQ_INSERT_TAIL(&render->exports, export, link);
	render->n_exports++;
	return 0;
}

static void drop_fence(struct vgpu_render *render, uint32_t ring_idx)
{
	struct fence *fence = STAILQ_FIRST(&render->fences[ring_idx]);

	STAILQ_REMOVE_HEAD(&render->fences[ring_idx], link);
	render->n_fences--;
	if (fence->is_internal)
		vgpu_host_memory_uncharge(render->config.host_memory, fence->id);
	free(fence);
}

void vgpu_render_owe_nothing(struct vgpu_render *render)
{
	struct export *export;

	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		while (!STAILQ_EMPTY(&render->fences[i]))
			drop_fence(render, i);
	while ((export = STAILQ_FIRST(&render->exports))) {
		STAILQ_REMOVE_HEAD(&render->exports, link);
		free(export);
	}
	render->n_exports = 0;
}

static bool is_owed(const struct fences *fences, uint64_t wire_id)
{
	const struct fence *fence = STAILQ_FIRST(fences);

	while (fence && fence->wire_id < wire_id)
		fence = STAILQ_NEXT(fence, link);
	return fence && fence->wire_id == wire_id;
}

bool vgpu_render_settle_fence(struct vgpu_render *render,
			      const struct vgpu_render_message *message)
{
	struct fences *fences;
	uint64_t wire_id;

	if (message->ring_idx >= VGPU_RENDER_TIMELINES)
		return false;
	fences = &render->fences[message->ring_idx];
	if (!is_owed(fences, message->id))
		return false;
	/* A timeline goes one way: those before it are done, too. */
	do {
		struct fence fence = *STAILQ_FIRST(fences);

		wire_id = fence.wire_id;
		drop_fence(render, message->ring_idx);
		if (fence.is_internal)
			render->outbox.is_bulk_out = false;
		else
			render->ops->fence_done(render->opaque,
						message->ring_idx, fence.id);
	} while (wire_id != message->id);
	return true;
}

/* Whether what it says of the memory can be true. */
static bool is_plausible(const struct vgpu_render *render,
			 const struct export *export,
			 const struct vgpu_render_message *message)
{
	uint64_t end;

	if (message->status)
		return message->status < 4096; /* the kernel's MAX_ERRNO */
	if (message->bytes < export->bytes ||
	    !vgpu_checked_add(message->offset, message->bytes, &end))
		return false;
	return !render->config.n_segments ||
	       end <= render->config.framebuffer_bytes;
}

bool vgpu_render_settle_export(struct vgpu_render *render,
			       const struct vgpu_render_message *message)
{
	struct export *export = STAILQ_FIRST(&render->exports);
	bool is_fine;

	while (export && export->resource_id != message->resource_id)
		export = STAILQ_NEXT(export, link);
	if (!export)
		return false;
	is_fine = is_plausible(render, export, message);
	STAILQ_REMOVE(&render->exports, export, export, link);
	render->n_exports--;
	free(export);
	if (is_fine)
		render->ops->exported(render->opaque, message->resource_id,
				      -(int)message->status,
				      message->status ? 0 : message->offset,
				      message->status ? 0 : message->bytes);
	return is_fine;
}
