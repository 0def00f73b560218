/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outstanding requests to a render process, to check its answers against. */
#include "internal.h"

#include <limits.h>

#include "lib/util.h"

/* Each has the number of the message that asked for it, and they are in order. */
struct fence {
	TAILQ_ENTRY(fence) link;
	uint64_t seq;
	uint64_t id; /* its owner's */
};

struct export
{
	STAILQ_ENTRY(export) link;
	uint64_t seq;
	uint32_t resource_id;
	uint64_t bytes;
};

/* A memfd with commands, which is charged until they are taken in. */
struct bulk {
	STAILQ_ENTRY(bulk) link;
	uint64_t seq;
	uint64_t bytes;
};

int vgpu_render_owe_fence(struct vgpu_render *render,
			  const struct vgpu_render_fence *fence, uint64_t seq)
{
	struct fences *fences = &render->fences[fence->ring_idx];
	struct fence *last = TAILQ_LAST(fences, fences);
	struct fence *new;

	/* Only a corrupted state block has them out of order. */
	if (render->n_fences >= FENCES_MAX || (last && last->seq >= seq))
		return -ENOBUFS;
	new = malloc(sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct fence){.seq = seq, .id = fence->id};
	TAILQ_INSERT_TAIL(fences, new, link);
	render->n_fences++;
	return 0;
}

int vgpu_render_owe_export(struct vgpu_render *render, uint32_t resource_id,
			   uint64_t bytes, uint64_t seq)
{
	struct export *export;

	if (render->n_exports >= EXPORTS_MAX)
		return -ENOBUFS;
	export = malloc(sizeof(*export));
	if (!export)
		return -ENOMEM;
	*export = (struct export){
		.seq = seq, .resource_id = resource_id, .bytes = bytes};
	STAILQ_INSERT_TAIL(&render->exports, export, link);
	render->n_exports++;
	return 0;
}

int vgpu_render_owe_bulk(struct vgpu_render *render, uint64_t bytes, uint64_t seq)
{
	struct bulk *bulk = malloc(sizeof(*bulk));

	if (!bulk)
		return -ENOMEM;
	*bulk = (struct bulk){.seq = seq, .bytes = bytes};
	STAILQ_INSERT_TAIL(&render->bulks, bulk, link);
	return 0;
}

static void drop_fence(struct vgpu_render *render, uint32_t ring_idx,
		       struct fence *fence)
{
	TAILQ_REMOVE(&render->fences[ring_idx], fence, link);
	render->n_fences--;
	free(fence);
}

static void drop_export(struct vgpu_render *render, struct export *export)
{
	STAILQ_REMOVE(&render->exports, export, export, link);
	render->n_exports--;
	free(export);
}

static void drop_bulk(struct vgpu_render *render)
{
	struct bulk *bulk = STAILQ_FIRST(&render->bulks);

	STAILQ_REMOVE_HEAD(&render->bulks, link);
	vgpu_host_memory_uncharge(render->config.host_memory, bulk->bytes);
	free(bulk);
}

void vgpu_render_owe_until(struct vgpu_render *render, uint64_t seq)
{
	struct export *export, *next;
	struct fence *fence;

	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		while ((fence = TAILQ_LAST(&render->fences[i], fences)) &&
		       fence->seq > seq)
			drop_fence(render, i, fence);
	for (export = STAILQ_FIRST(&render->exports); export; export = next) {
		next = STAILQ_NEXT(export, link);
		if (export->seq > seq)
			drop_export(render, export);
	}
}

void vgpu_render_owe_nothing(struct vgpu_render *render)
{
	vgpu_render_owe_until(render, 0);
	while (!STAILQ_EMPTY(&render->bulks))
		drop_bulk(render);
}

static bool is_owed(const struct fences *fences, uint64_t seq)
{
	const struct fence *fence = TAILQ_FIRST(fences);

	while (fence && fence->seq < seq)
		fence = TAILQ_NEXT(fence, link);
	return fence && fence->seq == seq;
}

/* Whether a predecessor may have asked for it, which the state need not say. */
static bool is_of_predecessor(const struct vgpu_render *render, uint64_t seq)
{
	return seq < render->resume_seq;
}

bool vgpu_render_settle_fence(struct vgpu_render *render,
			      const struct vgpu_render_message *message)
{
	struct fences *fences;
	struct fence *fence;

	if (message->ring_idx >= VGPU_RENDER_TIMELINES)
		return false;
	fences = &render->fences[message->ring_idx];
	if (!is_owed(fences, message->id) &&
	    !is_of_predecessor(render, message->id))
		return false;
	/*
	 * Fences of a timeline are done in order: earlier ones are done, too.
	 */
	while ((fence = TAILQ_FIRST(fences)) && fence->seq <= message->id) {
		uint64_t id = fence->id;

		drop_fence(render, message->ring_idx, fence);
		render->ops->fence_done(render->opaque, message->ring_idx, id);
	}
	return true;
}

/* Whether what it says of the memory can be true. */
static bool is_plausible(const struct export *export,
			 const struct vgpu_render_message *message)
{
	if (message->status)
		return message->status < 4096; /* the kernel's MAX_ERRNO */
	return message->bytes >= export->bytes;
}

bool vgpu_render_settle_export(struct vgpu_render *render,
			       const struct vgpu_render_message *message)
{
	struct export *export = STAILQ_FIRST(&render->exports);
	bool is_fine;

	while (export && export->resource_id != message->resource_id)
		export = STAILQ_NEXT(export, link);
	/* All that a predecessor asked for comes before RESUMED. */
	if (!export)
		return render->is_resuming;
	is_fine = is_plausible(export, message);
	drop_export(render, export);
	if (is_fine)
		render->ops->exported(render->opaque, message->resource_id,
				      -(int)message->status,
				      message->status ? 0 : message->offset,
				      message->status ? 0 : message->bytes);
	return is_fine;
}

bool vgpu_render_settle_bulk(struct vgpu_render *render,
			     const struct vgpu_render_message *message)
{
	const struct bulk *bulk = STAILQ_FIRST(&render->bulks);

	if (!bulk || bulk->seq != message->id)
		return is_of_predecessor(render, message->id);
	drop_bulk(render);
	render->outbox.is_bulk_out = false;
	return true;
}
