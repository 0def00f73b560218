/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts: each a process that renders, and what is waited for in it. */
#include "device/gpu/internal.h"

#include <inttypes.h>

/*
 * What a context may have been given that it has not taken in yet. A guest
 * that goes on is kept waiting: its requests stay in its own queue.
 */
#define OWED_MAX (8ULL << 20)
/* A message weighs this much more than its commands: 1024 fill it, too. */
#define MESSAGE_WEIGHT 8192u
/* After so much we ask to be told when it has been taken in. */
#define TALLY_BYTES (256u << 10)
#define TALLIES_MAX 64

/* All that was given before is taken in when fence @id of timeline 0 is done. */
struct tally {
	uint64_t id;
	uint64_t bytes;
};

struct vgpu_gpu_context {
	struct vgpu_gpu *gpu;
	uint32_t index; /* in gpu->context and in the state */
	uint32_t id;
	struct vgpu_render *render; /* NULL: lost */
	bool is_ready;
	uint64_t last_fence;
	/* Those that wait for a fence, by timeline, in order. */
	struct vgpu_gpu_pendings fences[VGPU_RENDER_TIMELINES];
	uint64_t owed_bytes;
	uint64_t uncounted_bytes; /* of them, in no tally */
	struct tally tally[TALLIES_MAX];
	uint32_t first_tally;
	uint32_t n_tallies;
	/* By slot; the process knows those that it can use. */
	uint64_t attached[VGPU_GPU_RESOURCES_MAX / 64];
};

static_assert(OWED_MAX + VGPU_GPU_SUBMIT_MAX < TALLIES_MAX * (uint64_t)TALLY_BYTES,
	      "a tally for all that can be owed");

static struct vgpu_gpu_context *find(struct vgpu_gpu *gpu, uint32_t id)
{
	for (uint32_t i = 0; id && i < VGPU_GPU_CONTEXTS_MAX; i++)
		if (gpu->context[i] && gpu->context[i]->id == id)
			return gpu->context[i];
	return NULL;
}

static bool is_attached(const struct vgpu_gpu_context *context, uint32_t slot)
{
	return context->attached[slot / 64] >> slot % 64 & 1;
}

static void set_attached(struct vgpu_gpu_context *context, uint32_t slot, bool is)
{
	context->attached[slot / 64] &= ~(1ULL << slot % 64);
	context->attached[slot / 64] |= (uint64_t)is << slot % 64;
}

static void answer_fences(struct vgpu_gpu_context *context, uint32_t answer)
{
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++) {
		struct vgpu_gpu_pendings *fences = &context->fences[i];

		while (!TAILQ_EMPTY(fences)) {
			struct vgpu_gpu_pending *first = TAILQ_FIRST(fences);

			first->call.is_blameless = true;
			vgpu_gpu_finish(context->gpu, fences, first, answer);
		}
	}
}

/* What was asked of the process, or waits to be, comes to nothing. */
static void answer_pendings(struct vgpu_gpu_context *context)
{
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_gpu_pending *pending, *next;

	for (pending = TAILQ_FIRST(&gpu->pendings); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (!pending->call.rule->is_context ||
		    pending->call.header.ctx_id != context->id)
			continue;
		pending->call.is_blameless = true;
		vgpu_gpu_finish(gpu, &gpu->pendings, pending,
				VGPU_GPU_ERR_UNSPEC);
	}
}

static void end_process(struct vgpu_gpu_context *context)
{
	struct vgpu_render *render = context->render;

	context->render = NULL;
	context->owed_bytes = 0;
	context->uncounted_bytes = 0;
	context->n_tallies = 0;
	vgpu_render_destroy(render);
}

static void count(struct vgpu_gpu_context *context)
{
	struct tally *tally;

	if (context->uncounted_bytes < TALLY_BYTES ||
	    context->n_tallies == TALLIES_MAX)
		return;
	tally = &context->tally[(context->first_tally + context->n_tallies++) %
				TALLIES_MAX];
	*tally = (struct tally){++context->last_fence, context->uncounted_bytes};
	context->uncounted_bytes = 0;
	/* If it fails the context is lost, and owes nothing. */
	vgpu_render_fence(context->render, 0, tally->id);
}

/* @bytes and a message more were given to the process. */
static void owe(struct vgpu_gpu_context *context, uint64_t bytes)
{
	context->owed_bytes += bytes + MESSAGE_WEIGHT;
	context->uncounted_bytes += bytes + MESSAGE_WEIGHT;
	count(context);
}

static void settle(struct vgpu_gpu_context *context, uint64_t id)
{
	while (context->n_tallies) {
		const struct tally *first = &context->tally[context->first_tally];

		if (first->id > id)
			break;
		context->owed_bytes -= first->bytes;
		context->first_tally = (context->first_tally + 1) % TALLIES_MAX;
		context->n_tallies--;
	}
	count(context);
}

static void on_ready(void *opaque)
{
	struct vgpu_gpu_context *context = opaque;

	context->is_ready = true;
	vgpu_gpu_wake(context->gpu);
}

static void on_fence_done(void *opaque, uint32_t ring_idx, uint64_t id)
{
	struct vgpu_gpu_context *context = opaque;
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_gpu_pendings *fences;
	struct vgpu_gpu_pending *first;

	if (ring_idx >= VGPU_RENDER_TIMELINES)
		return;
	if (ring_idx == 0)
		settle(context, id);
	fences = &context->fences[ring_idx];
	while ((first = TAILQ_FIRST(fences)) && first->fence <= id)
		vgpu_gpu_finish(gpu, fences, first, VGPU_GPU_OK_NODATA);
	vgpu_gpu_wake(gpu);
}

static void on_exported(void *opaque, uint32_t resource_id, int status,
			uint64_t offset, uint64_t bytes)
{
	struct vgpu_gpu_context *context = opaque;

	vgpu_gpu_exported(context->gpu, context->id, context->render,
			  resource_id, status, offset, bytes);
}

static void on_fail_ring(void *opaque, uint32_t resource_id,
			 uint64_t status_offset)
{
	const struct vgpu_gpu_context *context = opaque;
	const struct vgpu_gpu *gpu = context->gpu;
	uint32_t slot = vgpu_gpu_slot_find(gpu, resource_id);

	if (slot != VGPU_GPU_NO_SLOT && is_attached(context, slot) &&
	    gpu->slot[slot].shared_plus_1)
		vgpu_render_set_fatal(gpu->slot[slot].shared_plus_1 - 1,
				      gpu->state->resource[slot].bytes,
				      status_offset);
}

static void on_lost(void *opaque, const char *why)
{
	struct vgpu_gpu_context *context = opaque;
	struct vgpu_gpu *gpu = context->gpu;
	char text[VGPU_CONTROL_TEXT_MAX];

	snprintf(text, sizeof(text), "context %u is lost: %.150s", context->id,
		 why);
	gpu->ops->guest_fault(gpu->opaque, text);
	end_process(context);
	answer_fences(context, VGPU_GPU_ERR_UNSPEC);
	answer_pendings(context);
	vgpu_gpu_wake(gpu);
}

static const struct vgpu_render_ops render_ops = {
	.ready = on_ready,
	.fence_done = on_fence_done,
	.exported = on_exported,
	.fail_ring = on_fail_ring,
	.lost = on_lost,
};

static struct vgpu_gpu_context *make(struct vgpu_gpu *gpu, uint32_t index,
				     uint32_t id)
{
	struct vgpu_gpu_context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->gpu = gpu;
	context->index = index;
	context->id = id;
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		TAILQ_INIT(&context->fences[i]);
	gpu->context[index] = context;
	return context;
}

static void unmake(struct vgpu_gpu_context *context)
{
	context->gpu->context[context->index] = NULL;
	end_process(context);
	free(context);
}

uint32_t vgpu_gpu_ctx_create(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t id = call->header.ctx_id;
	struct vgpu_gpu_context *context = find(gpu, id);
	struct vgpu_err err = {};
	uint32_t index = 0;

	if (id == 0 || (context && !call->is_retry))
		return VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	if (call->ctx_create.context_init != VGPU_GPU_CAPSET_VENUS)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	/* A predecessor made it, and told nobody: it was for nothing. */
	if (context)
		unmake(context);
	while (index < VGPU_GPU_CONTEXTS_MAX && gpu->context[index])
		index++;
	if (index == VGPU_GPU_CONTEXTS_MAX)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	context = make(gpu, index, id);
	if (!context)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	if (vgpu_render_create(&gpu->render, &render_ops, context,
			       &context->render, &err) < 0) {
		char text[VGPU_CONTROL_TEXT_MAX];

		unmake(context);
		snprintf(text, sizeof(text), "no process for a context: %.150s",
			 err.text);
		gpu->ops->guest_fault(gpu->opaque, text);
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	}
	vgpu_gpu_commit(&gpu->state->context[index], id);
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_ctx_destroy(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find(gpu, call->header.ctx_id);

	if (!context)
		return call->is_retry && call->header.ctx_id != 0
			       ? VGPU_GPU_OK_NODATA
			       : VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	end_process(context);
	/* It is as the guest wants it: nothing in it is under way any more. */
	answer_fences(context, VGPU_GPU_OK_NODATA);
	answer_pendings(context);
	vgpu_gpu_commit(&gpu->state->context[context->index], 0u);
	unmake(context);
	vgpu_gpu_wake(gpu);
	return VGPU_GPU_OK_NODATA;
}

struct vgpu_render *vgpu_gpu_context_render(struct vgpu_gpu *gpu,
					    struct vgpu_gpu_call *call,
					    uint32_t *ret_answer)
{
	const struct vgpu_gpu_context *context = find(gpu, call->header.ctx_id);

	if (!context) {
		*ret_answer = VGPU_GPU_ERR_INVALID_CONTEXT_ID;
		return NULL;
	}
	if (!context->render) {
		call->is_blameless = true;
		*ret_answer = VGPU_GPU_ERR_UNSPEC;
	}
	return context->render;
}

bool vgpu_gpu_context_is_full(struct vgpu_gpu *gpu, uint32_t id)
{
	const struct vgpu_gpu_context *context = find(gpu, id);

	return context && context->render &&
	       (!context->is_ready || context->owed_bytes >= OWED_MAX);
}

/* Whether the process is told of resources like that in @slot. */
static bool is_for_process(const struct vgpu_gpu *gpu, uint32_t slot)
{
	uint32_t kind = gpu->state->resource[slot].kind;

	return kind == VGPU_GPU_KIND_MEMORY ||
	       (kind == VGPU_GPU_KIND_SHARED && gpu->slot[slot].shared_plus_1);
}

uint32_t vgpu_gpu_ctx_attach_resource(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find(gpu, call->header.ctx_id);
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);
	const struct vgpu_gpu_state_resource *resource;
	uint32_t answer;

	if (!vgpu_gpu_context_render(gpu, call, &answer))
		return answer;
	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (is_attached(context, slot))
		return VGPU_GPU_OK_NODATA;
	resource = &gpu->state->resource[slot];
	if (is_for_process(gpu, slot) &&
	    vgpu_render_resource_add(
		    context->render, resource->id,
		    gpu->slot[slot].shared_plus_1 - 1,
		    resource->kind == VGPU_GPU_KIND_MEMORY ? resource->offset : 0,
		    resource->bytes) < 0) {
		call->is_blameless = true;
		return VGPU_GPU_ERR_UNSPEC;
	}
	set_attached(context, slot, true);
	owe(context, 0);
	return VGPU_GPU_OK_NODATA;
}

static void detach(struct vgpu_gpu_context *context, uint32_t slot)
{
	const struct vgpu_gpu_state_resource *resource;

	if (!is_attached(context, slot))
		return;
	set_attached(context, slot, false);
	if (!context->render || !is_for_process(context->gpu, slot))
		return;
	resource = &context->gpu->state->resource[slot];
	vgpu_render_resource_remove(
		context->render, resource->id,
		resource->kind == VGPU_GPU_KIND_SHARED ? resource->bytes : 0);
	owe(context, 0);
}

uint32_t vgpu_gpu_ctx_detach_resource(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find(gpu, call->header.ctx_id);
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);

	if (!context)
		return VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	/* That it is not attached, a lost context's guest cannot know. */
	if (!is_attached(context, slot) && context->render && !call->is_retry)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	detach(context, slot);
	return VGPU_GPU_OK_NODATA;
}

void vgpu_gpu_contexts_forget(struct vgpu_gpu *gpu, uint32_t slot)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++)
		if (gpu->context[i])
			detach(gpu->context[i], slot);
}

static uint32_t submit(struct vgpu_gpu_context *context,
		       struct vgpu_gpu_call *call)
{
	uint32_t bytes = call->submit.bytes;
	vgpu_autofree void *commands = NULL;

	if (bytes == 0)
		return VGPU_GPU_OK_NODATA;
	if (bytes > VGPU_GPU_SUBMIT_MAX || bytes > call->rest_bytes)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	commands = malloc(bytes);
	if (!commands)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	if (!vgpu_gpu_read(&call->rest, commands, bytes))
		return VGPU_GPU_ERR_UNSPEC;
	if (vgpu_render_submit(context->render, commands, bytes) < 0) {
		call->is_blameless = true;
		return VGPU_GPU_ERR_UNSPEC;
	}
	owe(context, bytes);
	return VGPU_GPU_OK_NODATA;
}

/* Answer @call when all before it on its timeline is done. */
static uint32_t fence(struct vgpu_gpu_context *context,
		      struct vgpu_gpu_call *call, uint32_t ring_idx)
{
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_gpu_pending *pending = call->pending;
	uint64_t id = context->last_fence + 1;

	if (!pending) {
		pending = vgpu_gpu_pending_new(call);
		if (!pending)
			return VGPU_GPU_ERR_OUT_OF_MEMORY;
	} else {
		TAILQ_REMOVE(&gpu->pendings, pending, entry);
	}
	context->last_fence = id;
	pending->fence = id;
	TAILQ_INSERT_TAIL(&context->fences[ring_idx], pending, entry);
	/* If this fails the context is lost: on_lost() answers it. */
	vgpu_render_fence(context->render, ring_idx, id);
	return VGPU_GPU_LATER;
}

uint32_t vgpu_gpu_submit_3d(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t flags = call->header.flags;
	uint32_t ring_idx = 0;
	uint32_t answer;

	if (!vgpu_gpu_context_render(gpu, call, &answer))
		return answer;
	if (flags & VGPU_GPU_FLAG_RING_IDX)
		ring_idx = call->header.ring_idx;
	if (ring_idx >= VGPU_RENDER_TIMELINES)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	answer = submit(find(gpu, call->header.ctx_id), call);
	if (answer != VGPU_GPU_OK_NODATA || !(flags & VGPU_GPU_FLAG_FENCE))
		return answer;
	return fence(find(gpu, call->header.ctx_id), call, ring_idx);
}

void vgpu_gpu_contexts_clear(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		struct vgpu_gpu_context *context = gpu->context[i];

		if (!context)
			continue;
		for (uint32_t ring = 0; ring < VGPU_RENDER_TIMELINES; ring++)
			vgpu_gpu_forget(gpu, &context->fences[ring]);
		unmake(context);
	}
}

void vgpu_gpu_contexts_resume(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		uint32_t *id = &gpu->state->context[i];

		if (*id && (find(gpu, *id) || !make(gpu, i, *id)))
			*id = 0;
	}
}
