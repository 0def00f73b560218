/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of requests: those answered later, and those that wait for them. */
#include "device/gpu/core/request.h"

#include <string.h>

/*
 * Commands are carried out in the order in which they came, except that one
 * which takes long holds up only those that could tell: of the same resource,
 * and behind such a one, of the same context. Everything else goes past it.
 *
 *            must wait                its turn
 *   a call ------------> WAITING ----------------> (handled)
 *      |                                               |
 *      +---------- handled ----------------------------+--> answered
 *                                                      |      ^
 *                                                      +--> RUNNING
 *
 * gpu->pendings has both kinds, in order. What waits keeps others of its
 * resource and its context waiting; what runs others of its resource. A guest
 * can have as many as its queue has room for.
 */

static uint32_t resource_of(const struct vgpu_gpu_call *call)
{
	uint32_t id;

	if (!call->rule->resource_at)
		return 0;
	memcpy(&id, call->body + call->rule->resource_at - 1, sizeof(id));
	return id;
}

static uint32_t context_of(const struct vgpu_gpu_call *call)
{
	/* A blob of guest memory is nobody's. */
	if (call->header.type == VGPU_GPU_RESOURCE_CREATE_BLOB &&
	    call->create_blob.blob_mem == VGPU_GPU_BLOB_MEM_GUEST)
		return 0;
	return call->rule->is_context ? call->header.ctx_id : 0;
}

bool vgpu_gpu_must_wait(struct vgpu_gpu *gpu, const struct vgpu_gpu_call *call)
{
	uint32_t resource = resource_of(call);
	uint32_t context = context_of(call);
	const struct vgpu_gpu_pending *before = TAILQ_FIRST(&gpu->pendings);

	/* CTX_DESTROY does not wait for requests of its context. */
	if (call->header.type == VGPU_GPU_CTX_DESTROY)
		return false;
	for (; before && before != call->pending;
	     before = TAILQ_NEXT(before, entry)) {
		if (resource && before->resource == resource)
			return true;
		if (context && before->context == context)
			return true;
	}
	return context && gpu->context_ops->is_full(gpu, context);
}

struct vgpu_gpu_pending *vgpu_gpu_pending_new(const struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_pending *pending = malloc(sizeof(*pending));

	if (!pending)
		return NULL;
	*pending = (struct vgpu_gpu_pending){.call = *call};
	pending->call.pending = pending;
	return pending;
}

struct vgpu_gpu_pending *vgpu_gpu_park(struct vgpu_gpu *gpu,
				       struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_pending *pending = call->pending;

	if (!pending) {
		pending = vgpu_gpu_pending_new(call);
		if (!pending)
			return NULL;
		TAILQ_INSERT_TAIL(&gpu->pendings, pending, entry);
	}
	pending->resource = resource_of(call);
	pending->context = context_of(call);
	return pending;
}

uint32_t vgpu_gpu_park_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	return vgpu_gpu_park(gpu, call) ? VGPU_GPU_LATER
					: VGPU_GPU_ERR_OUT_OF_MEMORY;
}

struct vgpu_gpu_pending *vgpu_gpu_park_running(struct vgpu_gpu *gpu,
					       struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_pending *pending = vgpu_gpu_park(gpu, call);

	if (pending) {
		pending->context = 0;
		pending->is_running = true;
	}
	return pending;
}

void vgpu_gpu_unpark(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     struct vgpu_gpu_pending *pending)
{
	if (call->pending)
		return;
	TAILQ_REMOVE(&gpu->pendings, pending, entry);
	free(pending);
}

void vgpu_gpu_finish(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list,
		     struct vgpu_gpu_pending *pending, uint32_t answer)
{
	TAILQ_REMOVE(list, pending, entry);
	vgpu_gpu_answer(gpu, &pending->call, answer);
	free(pending);
}

void vgpu_gpu_run_waiting(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_pending *pending, *next;
	uint32_t answer;

	/* One pass is enough: no request makes an earlier one ready. */
	for (pending = TAILQ_FIRST(&gpu->pendings); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (pending->is_running ||
		    vgpu_gpu_must_wait(gpu, &pending->call))
			continue;
		answer = pending->call.rule->handle(gpu, &pending->call);
		if (answer != VGPU_GPU_LATER)
			vgpu_gpu_finish(gpu, &gpu->pendings, pending, answer);
	}
}

/* Whether @pending waits behind one that is held. */
static bool is_behind_held(const struct vgpu_gpu *gpu,
			   const struct vgpu_gpu_pending *pending)
{
	const struct vgpu_gpu_pending *before;

	for (before = TAILQ_FIRST(&gpu->pendings); before != pending;
	     before = TAILQ_NEXT(before, entry))
		if (before->is_held &&
		    ((pending->resource && before->resource == pending->resource) ||
		     (pending->context && before->context == pending->context)))
			return true;
	return false;
}

uint32_t vgpu_gpu_count_held(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_pending *pending;
	uint32_t n = 0;

	for (pending = TAILQ_FIRST(&gpu->pendings); pending;
	     pending = TAILQ_NEXT(pending, entry)) {
		pending->is_held = pending->is_running
					   ? pending->cookie != 0
					   : is_behind_held(gpu, pending);
		n += pending->is_held;
	}
	return n;
}

void vgpu_gpu_drop_pendings(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list)
{
	struct vgpu_gpu_pending *pending;

	while ((pending = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, pending, entry);
		if (pending->cancel)
			pending->cancel(gpu, pending);
		gpu->ops->complete(gpu->opaque, pending->call.request, 0);
		free(pending);
	}
}
