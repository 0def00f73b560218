/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts: each has a render process, and requests that wait for it. */
#include "device/gpu/context/context.h"

#include <inttypes.h>
#include <string.h>

#include "device/gpu/memory/memory.h"

struct vgpu_gpu_context {
	struct vgpu_gpu *gpu;
	uint32_t index; /* in gpu->context and in the state */
	uint32_t id;
	struct vgpu_render *render; /* NULL: lost */
	bool is_ready;
	/*
	 * The socket to its process is full. Further requests of the guest stay
	 * in the guest's queue.
	 */
	bool is_full;
	/*
	 * It is not known yet which of a predecessor's requests its process has
	 * received. Until then those that are answered later are taken as
	 * received.
	 */
	bool is_resuming;
	char refusal[160]; /* why it is lost, until that can be said */
	uint64_t last_fence;
	/* By resource slot: what its process has been given to map. */
	uint64_t opened[VGPU_GPU_RESOURCES_MAX / 64];
	/* Those that wait for a fence, by timeline, in order. */
	struct vgpu_gpu_pendings fences[VGPU_RENDER_TIMELINES];
};

static struct vgpu_gpu_context *find_context(struct vgpu_gpu *gpu, uint32_t id)
{
	for (uint32_t i = 0; id && i < VGPU_GPU_CONTEXTS_MAX; i++)
		if (gpu->context[i] && gpu->context[i]->id == id)
			return gpu->context[i];
	return NULL;
}

static struct vgpu_gpu_state_context *
state_of(const struct vgpu_gpu_context *context)
{
	return &context->gpu->state->context[context->index];
}

static bool is_attached(const struct vgpu_gpu_context *context, uint32_t slot)
{
	return state_of(context)->attached[slot / 64] >> slot % 64 & 1;
}

static void set_attached(const struct vgpu_gpu_context *context, uint32_t slot,
			 bool is)
{
	uint64_t *word = &state_of(context)->attached[slot / 64];
	uint64_t bit = 1ULL << slot % 64;

	vgpu_gpu_commit(word, is ? *word | bit : *word & ~bit);
}

static bool is_opened(const struct vgpu_gpu_context *context, uint32_t slot)
{
	return context->opened[slot / 64] >> slot % 64 & 1;
}

static void set_opened(struct vgpu_gpu_context *context, uint32_t slot, bool is)
{
	uint64_t *word = &context->opened[slot / 64];
	uint64_t bit = 1ULL << slot % 64;

	*word = is ? *word | bit : *word & ~bit;
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

/* Fail all pending requests of the context. */
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

static void say_lost(struct vgpu_gpu_context *context, enum vgpu_loss loss,
		     const char *why)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	context->gpu->figures.losses[loss]++;
	snprintf(text, sizeof(text), "context %u is lost: %.150s", context->id,
		 why);
	context->gpu->ops->guest_fault(context->gpu->opaque, text);
}

static void end_process(struct vgpu_gpu_context *context)
{
	struct vgpu_render *render = context->render;

	context->render = NULL;
	context->is_resuming = false;
	vgpu_render_destroy(render);
}

static void on_ready(void *opaque)
{
	struct vgpu_gpu_context *context = opaque;

	context->is_ready = true;
	vgpu_gpu_run_waiting(context->gpu);
}

static void on_room(void *opaque)
{
	struct vgpu_gpu_context *context = opaque;

	context->is_full = false;
	vgpu_gpu_run_waiting(context->gpu);
}

static void on_fence_done(void *opaque, uint32_t ring_idx, uint64_t id)
{
	struct vgpu_gpu_context *context = opaque;
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_gpu_pendings *fences;
	struct vgpu_gpu_pending *first;

	if (ring_idx >= VGPU_RENDER_TIMELINES)
		return;
	fences = &context->fences[ring_idx];
	while ((first = TAILQ_FIRST(fences)) && first->fence <= id)
		vgpu_gpu_finish(gpu, fences, first, VGPU_GPU_OK_NODATA);
	vgpu_gpu_run_waiting(gpu);
}

static void on_exported(void *opaque, uint32_t resource_id, int status,
			uint64_t name, uint64_t bytes)
{
	struct vgpu_gpu_context *context = opaque;

	vgpu_gpu_finish_export(context->gpu, context->id, context->render,
			       resource_id, status, name, bytes);
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

	say_lost(context, vgpu_render_loss(context->render), why);
	end_process(context);
	answer_fences(context, VGPU_GPU_ERR_UNSPEC);
	answer_pendings(context);
	vgpu_gpu_run_waiting(gpu);
}

/* A predecessor did not send it: handle it as a new request. */
static void start_over(struct vgpu_gpu *gpu, struct vgpu_gpu_pending *pending)
{
	vgpu_gpu_commit(pending->call.request->token, (uint64_t)0);
	pending->is_running = false;
	vgpu_gpu_park(gpu, &pending->call);
}

static bool was_sent(const struct vgpu_gpu_context *context,
		     const struct vgpu_gpu_call *call)
{
	return vgpu_render_was_sent(context->render, *call->request->token);
}

/* It is known now what the process has received: start over what it has not. */
static void on_resumed(void *opaque)
{
	struct vgpu_gpu_context *context = opaque;
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_gpu_pending *pending, *next;

	context->is_resuming = false;
	for (pending = TAILQ_FIRST(&gpu->pendings); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (pending->call.rule->is_context &&
		    pending->call.header.ctx_id == context->id &&
		    *pending->call.request->token &&
		    !was_sent(context, &pending->call))
			start_over(gpu, pending);
	}
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++) {
		while ((pending = TAILQ_LAST(&context->fences[i],
					     vgpu_gpu_pendings)) &&
		       !was_sent(context, &pending->call)) {
			TAILQ_REMOVE(&context->fences[i], pending, entry);
			/* Before all that wait: it came before them. */
			TAILQ_INSERT_HEAD(&gpu->pendings, pending, entry);
			start_over(gpu, pending);
		}
	}
}

static const struct vgpu_render_ops render_ops = {
	.ready = on_ready,
	.room = on_room,
	.resumed = on_resumed,
	.fence_done = on_fence_done,
	.exported = on_exported,
	.fail_ring = on_fail_ring,
	.lost = on_lost,
};

static struct vgpu_gpu_context *make_context(struct vgpu_gpu *gpu,
					     uint32_t index, uint32_t id)
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

static void unmake_context(struct vgpu_gpu_context *context)
{
	struct vgpu_gpu *gpu = context->gpu;
	uint32_t index = context->index;

	end_process(context);
	gpu->context[index] = NULL;
	/*
	 * If its process does not end, its memory must not be given to others.
	 */
	vgpu_gpu_storage_abandon(gpu, index);
	free(context);
}

static int start_process(struct vgpu_gpu_context *context, struct vgpu_err *err)
{
	struct vgpu_gpu_state_context *at = state_of(context);
	struct vgpu_render_config config = context->gpu->render;

	config.wire = at->capset;
	return vgpu_render_create(&config, &at->render, &render_ops, context,
				  &context->render, err);
}

uint32_t vgpu_gpu_ctx_create(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t id = call->header.ctx_id;
	struct vgpu_gpu_context *context = find_context(gpu, id);
	struct vgpu_gpu_state_context *at;
	uint32_t capset = call->ctx_create.context_init;
	struct vgpu_err err = {};
	uint32_t index = 0;

	if (id == 0 || (context && !call->is_retry))
		return VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	if (capset != VGPU_GPU_CAPSET_VENUS &&
	    (capset != VGPU_GPU_CAPSET_GFXSTREAM || !gpu->config.has_gfxstream))
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	/* A predecessor made it, and told nobody. */
	if (context && context->render)
		return VGPU_GPU_OK_NODATA;
	if (context)
		unmake_context(context);
	while (index < VGPU_GPU_CONTEXTS_MAX && gpu->context[index])
		index++;
	if (index == VGPU_GPU_CONTEXTS_MAX)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	at = &gpu->state->context[index];
	vgpu_gpu_commit(&at->id, 0u);
	memset(at, 0, sizeof(*at));
	context = make_context(gpu, index, id);
	if (!context)
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	at->capset = capset;
	if (start_process(context, &err) < 0) {
		char text[VGPU_CONTROL_TEXT_MAX];

		unmake_context(context);
		snprintf(text, sizeof(text), "no process for a context: %.150s",
			 err.text);
		gpu->ops->guest_fault(gpu->opaque, text);
		return VGPU_GPU_ERR_OUT_OF_MEMORY;
	}
	vgpu_gpu_commit(&at->id, id);
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_ctx_destroy(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find_context(gpu, call->header.ctx_id);
	const char *why;

	if (!context)
		return call->is_retry && call->header.ctx_id != 0
			       ? VGPU_GPU_OK_NODATA
			       : VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	why = vgpu_render_last_words(context->render);
	if (why)
		say_lost(context, vgpu_render_loss(context->render), why);
	vgpu_gpu_commit(&state_of(context)->is_ended, 1u);
	end_process(context);
	/* The guest asked for it: its pending requests succeed. */
	answer_fences(context, VGPU_GPU_OK_NODATA);
	answer_pendings(context);
	vgpu_gpu_commit(&state_of(context)->id, 0u);
	unmake_context(context);
	vgpu_gpu_run_waiting(gpu);
	return VGPU_GPU_OK_NODATA;
}

struct vgpu_render *vgpu_gpu_context_render(struct vgpu_gpu *gpu,
					    struct vgpu_gpu_call *call,
					    uint32_t *ret_answer)
{
	const struct vgpu_gpu_context *context =
		find_context(gpu, call->header.ctx_id);

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

static const struct vgpu_render *find_owner(const struct vgpu_gpu *gpu,
					    uint32_t index)
{
	return index < VGPU_GPU_CONTEXTS_MAX && gpu->context[index]
		       ? gpu->context[index]->render
		       : NULL;
}

uint32_t vgpu_gpu_context_index(const struct vgpu_gpu *gpu,
				const struct vgpu_render *render)
{
	for (uint32_t i = 0; render && i < VGPU_GPU_CONTEXTS_MAX; i++)
		if (gpu->context[i] && gpu->context[i]->render == render)
			return i;
	return VGPU_GPU_NO_SLOT;
}

uint32_t vgpu_gpu_context_program(struct vgpu_gpu *gpu, uint32_t id)
{
	const struct vgpu_gpu_context *context = find_context(gpu, id);

	return context ? context->index + 1 : 0;
}

uint32_t vgpu_gpu_context_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	find_context(gpu, call->header.ctx_id)->is_full = true;
	return vgpu_gpu_park_again(gpu, call);
}

static bool is_full(struct vgpu_gpu *gpu, uint32_t id)
{
	const struct vgpu_gpu_context *context = find_context(gpu, id);

	return context && context->render &&
	       (!context->is_ready || context->is_full);
}

/* Whether the process is told when the resource in @slot is attached. */
static bool is_for_process(const struct vgpu_gpu *gpu, uint32_t slot)
{
	uint32_t kind = gpu->state->resource[slot].kind;

	return kind == VGPU_GPU_KIND_MEMORY ||
	       (kind == VGPU_GPU_KIND_SHARED && gpu->slot[slot].shared_plus_1);
}

uint32_t vgpu_gpu_ctx_attach_resource(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find_context(gpu, call->header.ctx_id);
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);
	const struct vgpu_gpu_state_resource *resource;
	uint32_t answer;
	int r = 0;

	if (!vgpu_gpu_context_render(gpu, call, &answer))
		return answer;
	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (is_attached(context, slot))
		return VGPU_GPU_OK_NODATA;
	resource = &gpu->state->resource[slot];
	if (is_for_process(gpu, slot) && !was_sent(context, call))
		r = vgpu_render_resource_add(context->render, resource->id,
					     gpu->slot[slot].shared_plus_1 - 1,
					     resource->bytes,
					     call->request->token);
	if (r == -EAGAIN)
		return vgpu_gpu_context_again(gpu, call);
	if (r < 0) {
		call->is_blameless = true;
		return VGPU_GPU_ERR_UNSPEC;
	}
	set_attached(context, slot, true);
	/* What is shared it maps at once. */
	set_opened(context, slot, gpu->slot[slot].shared_plus_1);
	return VGPU_GPU_OK_NODATA;
}

/*
 * Returns -EAGAIN if the process cannot be told now. Telling it twice is
 * harmless: the id is not used again until all have been told.
 */
static int detach_resource(struct vgpu_gpu_context *context, uint32_t slot)
{
	const struct vgpu_gpu_state_resource *resource;
	int r = 0;

	resource = &context->gpu->state->resource[slot];
	if (context->render && (resource->kind == VGPU_GPU_KIND_MEMORY ||
				resource->kind == VGPU_GPU_KIND_SHARED))
		r = vgpu_render_resource_remove(
			context->render, resource->id,
			resource->kind == VGPU_GPU_KIND_MEMORY,
			is_opened(context, slot) ? resource->bytes : 0);
	if (r != -EAGAIN) {
		set_attached(context, slot, false);
		set_opened(context, slot, false);
	}
	return r;
}

static int open_resource(struct vgpu_gpu *gpu, struct vgpu_render *render,
			 uint32_t resource_id, int *ret_fd, uint64_t *ret_bytes,
			 bool *ret_is_first)
{
	uint32_t index = vgpu_gpu_context_index(gpu, render);
	uint32_t slot = vgpu_gpu_slot_find(gpu, resource_id);
	const struct vgpu_gpu_state_resource *resource;
	struct vgpu_gpu_context *context;

	if (index == VGPU_GPU_NO_SLOT || slot == VGPU_GPU_NO_SLOT)
		return -EINVAL;
	context = gpu->context[index];
	resource = &gpu->state->resource[slot];
	if (!is_attached(context, slot) || resource->kind != VGPU_GPU_KIND_MEMORY)
		return -EINVAL;
	*ret_is_first = !is_opened(context, slot);
	set_opened(context, slot, true);
	*ret_fd = vgpu_gpu_storage_open(gpu, resource->storage);
	*ret_bytes = resource->bytes;
	return 0;
}

uint32_t vgpu_gpu_ctx_detach_resource(struct vgpu_gpu *gpu,
				      struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find_context(gpu, call->header.ctx_id);
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);

	if (!context)
		return VGPU_GPU_ERR_INVALID_CONTEXT_ID;
	if (slot == VGPU_GPU_NO_SLOT)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	/* The guest of a lost context cannot know that it is not attached. */
	if (!is_attached(context, slot) && context->render && !call->is_retry)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (is_attached(context, slot) &&
	    detach_resource(context, slot) == -EAGAIN)
		return vgpu_gpu_context_again(gpu, call);
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_contexts_leave(struct vgpu_gpu *gpu,
				 struct vgpu_gpu_call *call, uint32_t slot)
{
	bool is_left = true;

	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		struct vgpu_gpu_context *context = gpu->context[i];

		if (!context || !is_attached(context, slot) ||
		    detach_resource(context, slot) != -EAGAIN)
			continue;
		context->is_full = true;
		is_left = false;
	}
	return is_left ? VGPU_GPU_OK_NODATA : vgpu_gpu_park_again(gpu, call);
}

static uint32_t timeline_of(const struct vgpu_gpu_call *call)
{
	return call->header.flags & VGPU_GPU_FLAG_RING_IDX ? call->header.ring_idx
							   : 0;
}

/* The process has the request: answer it when fence @id is done. */
static void wait_for_fence(struct vgpu_gpu_context *context,
			   struct vgpu_gpu_pending *pending, uint32_t ring_idx,
			   uint64_t id)
{
	pending->fence = id;
	TAILQ_INSERT_TAIL(&context->fences[ring_idx], pending, entry);
}

/* Send the commands to the process, and a fence if @ring_idx is a timeline. */
static int submit_commands(struct vgpu_gpu_context *context,
			   struct vgpu_gpu_call *call, uint32_t ring_idx)
{
	uint32_t bytes = call->submit.bytes;
	const struct vgpu_render_fence fence = {ring_idx,
						context->last_fence + 1};
	bool is_fenced = ring_idx < VGPU_RENDER_TIMELINES;
	struct vgpu_gpu_reader rest = call->rest; /* it may have to be again */
	vgpu_autofree void *commands = NULL;

	if (!bytes && !is_fenced)
		return 0;
	commands = malloc(VGPU_MAX(bytes, 1u));
	if (!commands)
		return -ENOMEM;
	if (!vgpu_gpu_read(&rest, commands, bytes))
		return -EFAULT;
	return vgpu_render_submit(context->render, commands, bytes,
				  is_fenced ? &fence : NULL,
				  call->request->token);
}

uint32_t vgpu_gpu_submit_3d(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context = find_context(gpu, call->header.ctx_id);
	bool is_fenced = call->header.flags & VGPU_GPU_FLAG_FENCE;
	struct vgpu_gpu_pending *pending = call->pending;
	uint32_t ring_idx = timeline_of(call);
	uint32_t answer;
	int r;

	if (!vgpu_gpu_context_render(gpu, call, &answer))
		return answer;
	if (ring_idx >= VGPU_RENDER_TIMELINES ||
	    call->submit.bytes > VGPU_GPU_SUBMIT_MAX ||
	    call->submit.bytes > call->rest_bytes)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	/*
	 * A predecessor sent it. What has a fence was taken over by
	 * vgpu_gpu_context_retake().
	 */
	if (was_sent(context, call))
		return VGPU_GPU_OK_NODATA;
	if (is_fenced && !pending) {
		pending = vgpu_gpu_pending_new(call);
		if (!pending)
			return VGPU_GPU_ERR_OUT_OF_MEMORY;
	}
	r = submit_commands(context, call,
			    is_fenced ? ring_idx : VGPU_RENDER_TIMELINES);
	gpu->figures.submits += r == 0;
	if (r < 0 || !is_fenced) {
		if (!call->pending)
			free(pending);
		if (r == -EAGAIN)
			return vgpu_gpu_context_again(gpu, call);
		call->is_blameless = r != -EFAULT;
		return r == 0	      ? VGPU_GPU_OK_NODATA
		       : r == -ENOMEM ? VGPU_GPU_ERR_OUT_OF_MEMORY
				      : VGPU_GPU_ERR_UNSPEC;
	}
	if (call->pending)
		TAILQ_REMOVE(&gpu->pendings, pending, entry);
	wait_for_fence(context, pending, ring_idx, ++context->last_fence);
	return VGPU_GPU_LATER;
}

static bool retake_submit(struct vgpu_gpu_context *context,
			  struct vgpu_gpu_call *call)
{
	const struct vgpu_render_fence fence = {timeline_of(call),
						context->last_fence + 1};
	struct vgpu_gpu_pending *pending;

	if (!(call->header.flags & VGPU_GPU_FLAG_FENCE) ||
	    fence.ring_idx >= VGPU_RENDER_TIMELINES)
		return false;
	pending = vgpu_gpu_pending_new(call);
	if (!pending || vgpu_render_expect_fence(context->render, &fence,
						 *call->request->token) < 0) {
		free(pending);
		vgpu_gpu_answer(context->gpu, call, VGPU_GPU_ERR_OUT_OF_MEMORY);
		return true;
	}
	wait_for_fence(context, pending, fence.ring_idx, ++context->last_fence);
	return true;
}

static bool retake_export(struct vgpu_gpu_context *context,
			  struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_create_blob *create = &call->create_blob;
	struct vgpu_gpu *gpu = context->gpu;

	/* If the resource exists, only the answer is missing. */
	if (create->blob_mem != VGPU_GPU_BLOB_MEM_HOST3D || !create->blob_id ||
	    vgpu_gpu_resource_find(gpu, create->resource_id))
		return false;
	if (vgpu_render_expect_export(context->render, create->resource_id,
				      create->bytes, *call->request->token) < 0 ||
	    !vgpu_gpu_park_running(gpu, call))
		vgpu_gpu_answer(gpu, call, VGPU_GPU_ERR_OUT_OF_MEMORY);
	return true;
}

bool vgpu_gpu_context_retake(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_context *context;

	if (!call->rule->is_context)
		return false;
	context = find_context(gpu, call->header.ctx_id);
	if (!context || !context->render || !context->is_resuming ||
	    !*call->request->token)
		return false;
	if (call->header.type == VGPU_GPU_SUBMIT_3D)
		return retake_submit(context, call);
	if (call->header.type == VGPU_GPU_RESOURCE_CREATE_BLOB)
		return retake_export(context, call);
	return false;
}

void vgpu_gpu_contexts_clear(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		struct vgpu_gpu_context *context = gpu->context[i];

		if (!context)
			continue;
		for (uint32_t ring = 0; ring < VGPU_RENDER_TIMELINES; ring++)
			vgpu_gpu_drop_pendings(gpu, &context->fences[ring]);
		unmake_context(context);
	}
}

static void refuse_context(struct vgpu_gpu *gpu, uint32_t index, const char *why)
{
	struct vgpu_gpu_context *context = gpu->context[index];

	end_process(context);
	snprintf(context->refusal, sizeof(context->refusal), "%s", why);
}

const struct vgpu_gpu_context_ops vgpu_gpu_context_ops = {
	.is_full = is_full,
	.owner = find_owner,
	.index = vgpu_gpu_context_index,
	.refuse = refuse_context,
	.open = open_resource,
};

/* Continue with its process, or with a new one if it was given nothing yet. */
static void resume_process(struct vgpu_gpu_context *context)
{
	struct vgpu_gpu_state_context *at = state_of(context);
	struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_err err = {};
	int r;

	if (!gpu->config.render) {
		snprintf(context->refusal, sizeof(context->refusal),
			 "there is no renderer");
		return;
	}
	if (at->is_ended) {
		r = -ESRCH;
	} else if (at->render.is_ready) {
		r = vgpu_render_resume(&gpu->render, &at->render, &render_ops,
				       context, &context->render, &err);
		context->is_ready = context->is_full = context->is_resuming =
			r == 0;
	} else {
		memset(at->attached, 0, sizeof(at->attached));
		r = start_process(context, &err);
	}
	if (r == 0)
		return;
	snprintf(context->refusal, sizeof(context->refusal), "%.150s", err.text);
	/* Its memory may be given to others only once the process has ended. */
	if (!vgpu_render_end_process(&gpu->render, at->render.process))
		vgpu_gpu_storage_abandon(gpu, context->index);
}

void vgpu_gpu_contexts_resume(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		uint32_t *id = &gpu->state->context[i].id;

		if (!*id)
			continue;
		if (find_context(gpu, *id) || !make_context(gpu, i, *id))
			vgpu_gpu_commit(id, 0u);
		else
			resume_process(gpu->context[i]);
	}
}

uint32_t vgpu_gpu_contexts_alive(const struct vgpu_gpu *gpu)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++)
		n += gpu->context[i] && gpu->context[i]->render;
	return n;
}

/* Tell whoever polls its rings that the context is lost. */
static void fail_rings(struct vgpu_gpu_context *context)
{
	const struct vgpu_render_state *state = &state_of(context)->render;

	for (uint32_t i = 0; i < VGPU_RENDER_RINGS_MAX; i++)
		if (state->ring[i].is_used)
			on_fail_ring(context, state->ring[i].resource_id,
				     state->ring[i].status_offset);
}

/* What the process has been told of. It may have opened all of it. */
static struct vgpu_render_told resume_attached(struct vgpu_gpu_context *context)
{
	const struct vgpu_gpu *gpu = context->gpu;
	struct vgpu_render_told told = {
		.memory_bytes = vgpu_gpu_storage_of(gpu, context->render)};
	const struct vgpu_gpu_state_resource *resource;

	for (uint32_t slot = 0; slot < VGPU_GPU_RESOURCES_MAX; slot++) {
		if (!state_of(context)->attached[slot / 64]) {
			slot |= 63;
			continue;
		}
		if (!is_attached(context, slot))
			continue;
		if (slot >= gpu->state->slots_used ||
		    !gpu->state->resource[slot].id) {
			set_attached(context, slot, false);
			continue;
		}
		resource = &gpu->state->resource[slot];
		if (resource->kind == VGPU_GPU_KIND_MEMORY)
			told.attached_bytes += resource->bytes;
		else if (gpu->slot[slot].shared_plus_1)
			told.shared_bytes += resource->bytes;
		set_opened(context, slot, is_for_process(gpu, slot));
	}
	return told;
}

void vgpu_gpu_contexts_resume_resources(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++) {
		struct vgpu_gpu_context *context = gpu->context[i];
		struct vgpu_render_told told;

		if (!context)
			continue;
		told = resume_attached(context);
		if (context->is_resuming) {
			vgpu_render_resume_told(context->render, &told);
		} else if (!context->render) {
			fail_rings(context);
			if (!state_of(context)->is_ended)
				say_lost(context, VGPU_LOSS_OTHER,
					 context->refusal);
		}
	}
}

void vgpu_gpu_requests_resumed(struct vgpu_gpu *gpu)
{
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++)
		if (gpu->context[i] && gpu->context[i]->is_resuming)
			vgpu_render_listen(gpu->context[i]->render);
}
