/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device model's interface: create, reset, configuration space, commands.
 */
#include "device/gpu/gpu.h"

#include <string.h>
#include <sys/random.h>

#include "device/display/console.h"
#include "device/gpu/context/context.h"
#include "device/gpu/display/display.h"
#include "device/gpu/internal.h"
#include "device/gpu/memory/memory.h"

#define NODATA	     sizeof(struct vgpu_gpu_header)
#define ANSWER(name) sizeof(struct vgpu_gpu_answer_##name)
#define BODY(member) (sizeof(((struct vgpu_gpu_call *)NULL)->member))
/* Where in the body the resource is named. No expression is a member. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define AT(member)                                                             \
	(offsetof(struct vgpu_gpu_call, member.resource_id) -                  \
	 offsetof(struct vgpu_gpu_call, body) + 1)
/* NOLINTEND(bugprone-macro-parentheses) */
#define F_EDID	   (1ull << VGPU_GPU_F_EDID)
#define F_UUID	   (1ull << VGPU_GPU_F_RESOURCE_UUID)
#define F_BLOB	   (1ull << VGPU_GPU_F_RESOURCE_BLOB)
#define F_CONTEXTS (1ull << VGPU_GPU_F_VIRGL | 1ull << VGPU_GPU_F_CONTEXT_INIT)
#define F_3D	   (F_CONTEXTS | F_BLOB)

#define RULE(n, features, body, answer, fn, at, context)                       \
	{#n, features, body, answer, fn, at, context}

static const struct vgpu_gpu_rule control_rules[] = {
#define COMMAND(n, ...)                                                        \
	[VGPU_GPU_##n - VGPU_GPU_GET_DISPLAY_INFO] = RULE(n, __VA_ARGS__)
	COMMAND(GET_DISPLAY_INFO, 0, 0, ANSWER(display_info),
		vgpu_gpu_get_display_info, 0, false),
	COMMAND(RESOURCE_CREATE_2D, 0, BODY(create_2d), NODATA,
		vgpu_gpu_resource_create_2d, AT(create_2d), false),
	COMMAND(RESOURCE_UNREF, 0, BODY(only), NODATA, vgpu_gpu_resource_unref,
		AT(only), false),
	COMMAND(SET_SCANOUT, 0, BODY(set_scanout), NODATA, vgpu_gpu_set_scanout,
		AT(set_scanout), false),
	COMMAND(RESOURCE_FLUSH, 0, BODY(flush), NODATA, vgpu_gpu_resource_flush,
		AT(flush), false),
	COMMAND(TRANSFER_TO_HOST_2D, 0, BODY(transfer), NODATA,
		vgpu_gpu_transfer_to_host_2d, AT(transfer), false),
	COMMAND(RESOURCE_ATTACH_BACKING, 0, BODY(attach), NODATA,
		vgpu_gpu_attach_backing, AT(attach), false),
	COMMAND(RESOURCE_DETACH_BACKING, 0, BODY(only), NODATA,
		vgpu_gpu_detach_backing, AT(only), false),
	COMMAND(GET_CAPSET_INFO, 0, BODY(get_capset_info), ANSWER(capset_info),
		vgpu_gpu_get_capset_info, 0, false),
	COMMAND(GET_CAPSET, 0, BODY(get_capset), ANSWER(capset),
		vgpu_gpu_get_capset, 0, false),
	COMMAND(GET_EDID, F_EDID, BODY(get_edid), ANSWER(edid),
		vgpu_gpu_get_edid, 0, false),
	COMMAND(RESOURCE_ASSIGN_UUID, F_UUID, BODY(only), ANSWER(uuid),
		vgpu_gpu_resource_assign_uuid, AT(only), false),
	COMMAND(RESOURCE_CREATE_BLOB, F_BLOB, BODY(create_blob), NODATA,
		vgpu_gpu_resource_create_blob, AT(create_blob), true),
	COMMAND(SET_SCANOUT_BLOB, F_BLOB, BODY(set_scanout_blob), NODATA,
		vgpu_gpu_set_scanout_blob, AT(set_scanout_blob), false),
#undef COMMAND
};

static const struct vgpu_gpu_rule context_rules[] = {
#define COMMAND(n, ...)                                                        \
	[VGPU_GPU_##n - VGPU_GPU_CTX_CREATE] = RULE(n, F_3D, __VA_ARGS__)
	COMMAND(CTX_CREATE, BODY(ctx_create), NODATA, vgpu_gpu_ctx_create, 0,
		true),
	COMMAND(CTX_DESTROY, 0, NODATA, vgpu_gpu_ctx_destroy, 0, true),
	COMMAND(CTX_ATTACH_RESOURCE, BODY(only), NODATA,
		vgpu_gpu_ctx_attach_resource, AT(only), true),
	COMMAND(CTX_DETACH_RESOURCE, BODY(only), NODATA,
		vgpu_gpu_ctx_detach_resource, AT(only), true),
	COMMAND(SUBMIT_3D, BODY(submit), NODATA, vgpu_gpu_submit_3d, 0, true),
	COMMAND(RESOURCE_MAP_BLOB, BODY(map_blob), ANSWER(map_info),
		vgpu_gpu_resource_map_blob, AT(map_blob), false),
	COMMAND(RESOURCE_UNMAP_BLOB, BODY(only), NODATA,
		vgpu_gpu_resource_unmap_blob, AT(only), false),
#undef COMMAND
};

static const struct vgpu_gpu_rule cursor_rules[] = {
	RULE(UPDATE_CURSOR, 0, BODY(cursor), NODATA, vgpu_gpu_update_cursor, 0,
	     false),
	RULE(MOVE_CURSOR, 0, BODY(cursor), NODATA, vgpu_gpu_move_cursor, 0, false),
};

size_t vgpu_gpu_state_bytes(void)
{
	return sizeof(struct vgpu_gpu_state);
}

int vgpu_gpu_create(const struct vgpu_gpu_config *config,
		    const struct vgpu_gpu_transport_ops *ops, void *opaque,
		    struct vgpu_gpu_state *state, struct vgpu_gpu **ret_gpu,
		    struct vgpu_err *err)
{
	struct vgpu_gpu *gpu;

	if (config->heads > VGPU_HEADS_MAX ||
	    config->max_width > VGPU_DIMENSION_MAX ||
	    config->max_height > VGPU_DIMENSION_MAX ||
	    (config->heads > 0 &&
	     (config->max_width == 0 || config->max_height == 0)))
		return vgpu_err_set(err, -EINVAL, "Internal",
				    "no gpu can have %u heads of %ux%u",
				    config->heads, config->max_width,
				    config->max_height);
	gpu = calloc(1, sizeof(*gpu));
	if (!gpu)
		return vgpu_err_set(err, -ENOMEM, "Internal",
				    "no memory for a gpu");
	gpu->config = *config;
	gpu->ops = ops;
	gpu->opaque = opaque;
	gpu->state = state;
	gpu->context_ops = &vgpu_gpu_context_ops;
	gpu->n_scanouts = VGPU_MAX(config->heads, 1u);
	TAILQ_INIT(&gpu->pendings);
	if (config->render) {
		gpu->render = *config->render;
		gpu->render.memory = &vgpu_gpu_memory_ops;
		gpu->render.memory_opaque = gpu;
		gpu->render.reserve = config->reserve;
		gpu->render.spare = vgpu_render_spare_new();
	}
	/* Get random bytes now: the sandbox will not allow it later. */
	if (getrandom(gpu->uuid_base, sizeof(gpu->uuid_base), 0) !=
	    sizeof(gpu->uuid_base)) {
		vgpu_gpu_destroy(gpu);
		return vgpu_err_set(err, -EIO, "Internal", "no random bytes");
	}
	if (vgpu_gpu_storage_init(gpu) < 0 ||
	    vgpu_gpu_extents_init(&gpu->entries, VGPU_GPU_ENTRIES_MAX,
				  VGPU_GPU_RESOURCES_MAX) < 0 ||
	    vgpu_gpu_extents_init(&gpu->window, config->window_bytes,
				  VGPU_GPU_RESOURCES_MAX) < 0) {
		vgpu_gpu_destroy(gpu);
		return vgpu_err_set(err, -ENOMEM, "Internal",
				    "no memory for a gpu");
	}
	if (vgpu_gpu_resume(gpu) < 0) {
		vgpu_gpu_destroy(gpu);
		return vgpu_err_set(err, -ENOMEM, "Internal",
				    "no memory for a gpu");
	}
	vgpu_gpu_replug_resume(gpu);
	*ret_gpu = gpu;
	return 0;
}

/* Drop what exists only in this process, not in the state block. */
static void forget_everything(struct vgpu_gpu *gpu)
{
	vgpu_gpu_drop_pendings(gpu, &gpu->pendings);
	vgpu_gpu_contexts_clear(gpu);
	vgpu_gpu_table_clear(gpu);
	vgpu_gpu_extents_clear(&gpu->entries);
	vgpu_gpu_extents_clear(&gpu->window);
}

void vgpu_gpu_destroy(struct vgpu_gpu *gpu)
{
	if (!gpu)
		return;
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++)
		vgpu_viewer_destroy(gpu->viewer[head]);
	vgpu_console_destroy(gpu->console);
	forget_everything(gpu);
	vgpu_render_spare_free(gpu->render.spare);
	vgpu_gpu_storage_finish(gpu);
	vgpu_gpu_extents_finish(&gpu->entries);
	vgpu_gpu_extents_finish(&gpu->window);
	sd_event_source_disable_unref(gpu->frame_timer);
	vgpu_gpu_replug_finish(gpu);
	free(gpu);
}

/* Features that are implemented. A retired device offers more. */
static uint64_t served_features(const struct vgpu_gpu *gpu)
{
	uint64_t features = F_EDID | F_UUID | F_BLOB;

	return gpu->config.render ? features | F_3D : features;
}

uint64_t vgpu_gpu_features(const struct vgpu_gpu *gpu)
{
	return served_features(gpu) | (gpu->config.is_retired ? F_3D : 0);
}

void vgpu_gpu_set_features(struct vgpu_gpu *gpu, uint64_t features)
{
	gpu->state->features = features & served_features(gpu);
}

static const struct vgpu_gpu_rule *find_rule(const struct vgpu_gpu_rule *rules,
					     size_t n, uint32_t first,
					     uint32_t type)
{
	if (type < first || type - first >= n)
		return NULL;
	return rules[type - first].handle ? &rules[type - first] : NULL;
}

/* Returns what is wrong with a request, or NULL. */
static const char *begin_call(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	const struct vgpu_gpu_rule *rule = call->rule;
	const struct vgpu_gpu_request *request = call->request;

	if (!rule || rule->feature & ~gpu->state->features)
		return "not offered or not accepted";
	if (request->writable_bytes >= NODATA &&
	    request->writable_bytes < rule->answer_bytes)
		return "no room for the answer";
	if (!vgpu_gpu_read(&call->rest, call->body, rule->body_bytes))
		return "request too short";
	call->rest_bytes = request->readable_bytes - sizeof(call->header) -
			   rule->body_bytes;
	call->is_retry = request->is_retry;
	call->is_blameless = false;
	memset(&call->answer, 0, rule->answer_bytes);
	return NULL;
}

static void run_call(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t answer = VGPU_GPU_LATER;

	if (call->is_retry && vgpu_gpu_context_retake(gpu, call))
		return;
	if (!vgpu_gpu_must_wait(gpu, call))
		answer = call->rule->handle(gpu, call);
	else if (!vgpu_gpu_park(gpu, call))
		answer = VGPU_GPU_ERR_OUT_OF_MEMORY;
	if (answer != VGPU_GPU_LATER)
		vgpu_gpu_answer(gpu, call, answer);
}

/* Read the header. Returns what is wrong with it, or NULL. */
static const char *read_header(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       struct vgpu_gpu_request *request)
{
	call->request = request;
	call->rule = NULL;
	call->pending = NULL;
	gpu->state->commands++;
	vgpu_gpu_reader_init(&call->rest, request->readable, request->n_readable);
	if (vgpu_gpu_read(&call->rest, &call->header, sizeof(call->header)))
		return NULL;
	call->header = (struct vgpu_gpu_header){};
	return "request without a header";
}

void vgpu_gpu_control(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	struct vgpu_gpu_call call;
	const char *why = read_header(gpu, &call, request);

	if (!why && request->writable_bytes < NODATA)
		why = "no room for any answer";
	if (!why) {
		call.rule =
			find_rule(control_rules, VGPU_ARRAY_SIZE(control_rules),
				  VGPU_GPU_GET_DISPLAY_INFO, call.header.type);
		if (!call.rule)
			call.rule = find_rule(
				context_rules, VGPU_ARRAY_SIZE(context_rules),
				VGPU_GPU_CTX_CREATE, call.header.type);
		why = begin_call(gpu, &call);
	}
	if (why)
		vgpu_gpu_end_call(gpu, &call, VGPU_GPU_ERR_UNSPEC, why);
	else
		run_call(gpu, &call);
}

void vgpu_gpu_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	struct vgpu_gpu_call call;
	const char *why = read_header(gpu, &call, request);

	if (!why) {
		call.rule = find_rule(cursor_rules, VGPU_ARRAY_SIZE(cursor_rules),
				      VGPU_GPU_UPDATE_CURSOR, call.header.type);
		why = begin_call(gpu, &call);
	}
	if (why)
		vgpu_gpu_end_call(gpu, &call, VGPU_GPU_ERR_UNSPEC, why);
	else
		vgpu_gpu_answer(gpu, &call, call.rule->handle(gpu, &call));
}

void vgpu_gpu_config_read(struct vgpu_gpu *gpu,
			  uint8_t ret_config[VGPU_GPU_CONFIG_BYTES])
{
	struct vgpu_gpu_config_space space = {
		.events_read = gpu->state->events_read,
		.n_scanouts = gpu->n_scanouts,
		.n_capsets = vgpu_gpu_count_capsets(gpu),
	};

	static_assert(sizeof(space) == VGPU_GPU_CONFIG_BYTES, "5.7.4");
	memcpy(ret_config, &space, sizeof(space));
}

int vgpu_gpu_config_write(struct vgpu_gpu *gpu, uint32_t offset,
			  const uint8_t *data, uint32_t len)
{
	const uint32_t field =
		offsetof(struct vgpu_gpu_config_space, events_clear);
	uint32_t clear = 0, end;

	if (!vgpu_checked_add(offset, len, &end) || end > VGPU_GPU_CONFIG_BYTES)
		return -EINVAL;
	/* Only events_clear is writable, in pieces of any size. */
	for (uint32_t i = 0; i < len; i++)
		if (offset + i >= field && offset + i < field + sizeof(clear))
			clear |= (uint32_t)data[i] << 8 * (offset + i - field);
	gpu->state->events_read &= ~clear;
	return 0;
}

void vgpu_gpu_reset(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;

	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		vgpu_gpu_scanout_off(gpu, head);
		/* The next driver finds it plugged in. */
		vgpu_gpu_commit(&state->head[head].is_away, 0u);
		state->head[head].cursor_in_use = 0;
		state->head[head].cursor_position = 0;
	}
	for (uint32_t slot = 0; slot < state->slots_used; slot++)
		vgpu_gpu_commit(&state->resource[slot].id, 0u);
	vgpu_gpu_commit(&state->slots_used, 0u);
	for (uint32_t i = 0; i < VGPU_GPU_CONTEXTS_MAX; i++)
		vgpu_gpu_commit(&state->context[i].id, 0u);
	forget_everything(gpu);
	vgpu_gpu_storage_clear(gpu);
	gpu->ops->window_forget(gpu->opaque);
	state->features = 0;
	state->events_read = 0;
	state->commands = 0;
	state->errors = 0;
	state->frames = 0;
	gpu->ops->status_changed(gpu->opaque);
}

void vgpu_gpu_status(const struct vgpu_gpu *gpu,
		     struct vgpu_control_status *status)
{
	const struct vgpu_gpu_pending *pending;

	status->heads = gpu->config.heads;
	status->commands = gpu->state->commands;
	status->errors = gpu->state->errors;
	status->framebuffer_used_bytes = vgpu_gpu_storage_used(gpu);
	status->frames = gpu->state->frames;
	status->queue_depth = 0;
	for (pending = TAILQ_FIRST(&gpu->pendings); pending;
	     pending = TAILQ_NEXT(pending, entry))
		status->queue_depth++;
	memset(status->head, 0, sizeof(status->head));
	for (uint32_t i = 0; i < gpu->config.heads; i++) {
		struct vgpu_control_head *head = &status->head[i];
		const struct vgpu_gpu_state_view *view;
		uint32_t width, height;

		vgpu_gpu_head_mode(gpu, i, &width, &height);
		head->preferred_width = width;
		head->preferred_height = height;
		view = vgpu_gpu_view_of(gpu, i);
		if (view) {
			head->width = view->rect.width;
			head->height = view->rect.height;
		}
	}
}

void vgpu_gpu_figures(const struct vgpu_gpu *gpu, struct vgpu_figures *figures)
{
	*figures = gpu->figures;
	figures->is_known = 1;
	figures->contexts = vgpu_gpu_contexts_alive(gpu);
}
