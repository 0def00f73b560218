/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gpu as its transport sees it: life, configuration, commands. */
#include "device/gpu/gpu.h"
#include "device/gpu/internal.h"

#include <string.h>

struct command {
	const char *name;
	uint64_t feature;      /* bits that the guest must have accepted */
	uint32_t body_bytes;   /* of the request, without the header */
	uint32_t answer_bytes; /* with the header, when all is well */
	vgpu_gpu_handler *handle;
};

#define NODATA	     sizeof(struct vgpu_gpu_header)
#define BODY(member) (sizeof(((struct vgpu_gpu_call *)NULL)->member))
#define F_EDID	     (1ull << VGPU_GPU_F_EDID)
#define F_UUID	     (1ull << VGPU_GPU_F_RESOURCE_UUID)
#define F_BLOB	     (1ull << VGPU_GPU_F_RESOURCE_BLOB)

static const struct command control_commands[] = {
#define COMMAND(n) [VGPU_GPU_##n - VGPU_GPU_GET_DISPLAY_INFO]
	COMMAND(GET_DISPLAY_INFO) = {"GET_DISPLAY_INFO", 0, 0,
				     sizeof(struct vgpu_gpu_answer_display_info),
				     vgpu_gpu_get_display_info},
	COMMAND(RESOURCE_CREATE_2D) = {"RESOURCE_CREATE_2D", 0, BODY(create_2d),
				       NODATA, vgpu_gpu_resource_create_2d},
	COMMAND(RESOURCE_UNREF) = {"RESOURCE_UNREF", 0, BODY(only), NODATA,
				   vgpu_gpu_resource_unref},
	COMMAND(SET_SCANOUT) = {"SET_SCANOUT", 0, BODY(set_scanout), NODATA,
				vgpu_gpu_set_scanout},
	COMMAND(RESOURCE_FLUSH) = {"RESOURCE_FLUSH", 0, BODY(flush), NODATA,
				   vgpu_gpu_resource_flush},
	COMMAND(TRANSFER_TO_HOST_2D) = {"TRANSFER_TO_HOST_2D", 0, BODY(transfer),
					NODATA, vgpu_gpu_transfer_to_host_2d},
	COMMAND(RESOURCE_ATTACH_BACKING) = {"RESOURCE_ATTACH_BACKING", 0,
					    BODY(attach), NODATA,
					    vgpu_gpu_attach_backing},
	COMMAND(RESOURCE_DETACH_BACKING) = {"RESOURCE_DETACH_BACKING", 0,
					    BODY(only), NODATA,
					    vgpu_gpu_detach_backing},
	COMMAND(GET_CAPSET_INFO) = {"GET_CAPSET_INFO", 0, BODY(get_capset_info),
				    NODATA, vgpu_gpu_get_capset_info},
	COMMAND(GET_CAPSET) = {"GET_CAPSET", 0, BODY(get_capset), NODATA,
			       vgpu_gpu_get_capset},
	COMMAND(GET_EDID) = {"GET_EDID", F_EDID, BODY(get_edid),
			     sizeof(struct vgpu_gpu_answer_edid),
			     vgpu_gpu_get_edid},
	COMMAND(RESOURCE_ASSIGN_UUID) = {"RESOURCE_ASSIGN_UUID", F_UUID,
					 BODY(only),
					 sizeof(struct vgpu_gpu_answer_uuid),
					 vgpu_gpu_resource_assign_uuid},
	COMMAND(RESOURCE_CREATE_BLOB) = {"RESOURCE_CREATE_BLOB", F_BLOB,
					 BODY(create_blob), NODATA,
					 vgpu_gpu_resource_create_blob},
	COMMAND(SET_SCANOUT_BLOB) = {"SET_SCANOUT_BLOB", F_BLOB,
				     BODY(set_scanout_blob), NODATA,
				     vgpu_gpu_set_scanout_blob},
#undef COMMAND
};

static const struct command cursor_commands[] = {
	{"UPDATE_CURSOR", 0, BODY(cursor), NODATA, vgpu_gpu_update_cursor},
	{"MOVE_CURSOR", 0, BODY(cursor), NODATA, vgpu_gpu_move_cursor},
};

size_t vgpu_gpu_state_bytes(void)
{
	return sizeof(struct vgpu_gpu_state);
}

int vgpu_gpu_create(const struct vgpu_gpu_config *config,
		    const struct vgpu_gpu_transport_ops *ops, void *opaque,
		    struct vgpu_gpu_state *state, void *framebuffer,
		    uint64_t framebuffer_bytes, struct vgpu_gpu **ret_gpu,
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
	if (!gpu ||
	    vgpu_gpu_extents_init(&gpu->storage, framebuffer_bytes,
				  VGPU_GPU_RESOURCES_MAX) < 0 ||
	    vgpu_gpu_extents_init(&gpu->entries, VGPU_GPU_ENTRIES_MAX,
				  VGPU_GPU_RESOURCES_MAX) < 0) {
		vgpu_gpu_destroy(gpu);
		return vgpu_err_set(err, -ENOMEM, "Internal",
				    "no memory for a gpu");
	}
	gpu->config = *config;
	gpu->ops = ops;
	gpu->opaque = opaque;
	gpu->state = state;
	gpu->framebuffer = framebuffer;
	gpu->n_scanouts = VGPU_MAX(config->heads, 1u);
	vgpu_gpu_resume(gpu);
	*ret_gpu = gpu;
	return 0;
}

void vgpu_gpu_destroy(struct vgpu_gpu *gpu)
{
	if (!gpu)
		return;
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++)
		vgpu_viewer_destroy(gpu->viewer[head]);
	vgpu_gpu_extents_finish(&gpu->storage);
	vgpu_gpu_extents_finish(&gpu->entries);
	free(gpu);
}

uint64_t vgpu_gpu_features(const struct vgpu_gpu *gpu)
{
	return F_EDID | F_UUID | F_BLOB;
}

void vgpu_gpu_set_features(struct vgpu_gpu *gpu, uint64_t features)
{
	gpu->state->features = features & vgpu_gpu_features(gpu);
}

static const char *answer_name(uint32_t answer)
{
	switch (answer) {
	case VGPU_GPU_ERR_OUT_OF_MEMORY:
		return "out of memory";
	case VGPU_GPU_ERR_INVALID_SCANOUT_ID:
		return "no such scanout";
	case VGPU_GPU_ERR_INVALID_RESOURCE_ID:
		return "no such resource, or it exists";
	case VGPU_GPU_ERR_INVALID_CONTEXT_ID:
		return "no such context";
	case VGPU_GPU_ERR_INVALID_PARAMETER:
		return "bad parameter";
	default:
		return "cannot be done";
	}
}

static void fault(struct vgpu_gpu *gpu, const char *name, uint32_t type,
		  const char *why)
{
	char text[128];

	snprintf(text, sizeof(text), "%s (0x%x): %s", name, type, why);
	gpu->ops->guest_fault(gpu->opaque, text);
}

/* Returns the answer; its text in *ret_why if the guest is to blame. */
static uint32_t run(struct vgpu_gpu *gpu, const struct command *command,
		    struct vgpu_gpu_request *request, struct vgpu_gpu_call *call,
		    bool is_answered, const char **ret_why)
{
	uint32_t answer;

	if (!command || command->feature & ~gpu->state->features) {
		*ret_why = "not offered or not accepted";
		return VGPU_GPU_ERR_UNSPEC;
	}
	if (is_answered && request->writable_bytes < command->answer_bytes) {
		*ret_why = "no room for the answer";
		return VGPU_GPU_ERR_UNSPEC;
	}
	if (!vgpu_gpu_read(&call->rest, call->body, command->body_bytes)) {
		*ret_why = "request too short";
		return VGPU_GPU_ERR_UNSPEC;
	}
	call->rest_bytes = request->readable_bytes - sizeof(call->header) -
			   command->body_bytes;
	call->is_retry = request->is_retry;
	memset(&call->answer, 0, command->answer_bytes);
	answer = command->handle(gpu, call);
	/* To find memory used up is no offence. */
	if (answer >= VGPU_GPU_ERR_UNSPEC && answer != VGPU_GPU_ERR_OUT_OF_MEMORY)
		*ret_why = answer_name(answer);
	return answer;
}

static const struct command *find(const struct command *commands, size_t n,
				  uint32_t first, uint32_t type)
{
	if (type < first || type - first >= n)
		return NULL;
	return &commands[type - first];
}

static size_t answer_with(struct vgpu_gpu_request *request,
			  const struct command *command,
			  struct vgpu_gpu_call *call, uint32_t answer)
{
	struct vgpu_gpu_header *header = &call->answer.header;
	size_t bytes = sizeof(*header);

	if (answer < VGPU_GPU_ERR_UNSPEC)
		bytes = command->answer_bytes;
	*header = (struct vgpu_gpu_header){.type = answer};
	/* Every command is done when it is answered: so is its fence. */
	if (call->header.flags & VGPU_GPU_FLAG_FENCE) {
		header->flags = VGPU_GPU_FLAG_FENCE;
		header->fence_id = call->header.fence_id;
		header->ctx_id = call->header.ctx_id;
		if (call->header.flags & VGPU_GPU_FLAG_RING_IDX) {
			header->flags |= VGPU_GPU_FLAG_RING_IDX;
			header->ring_idx = call->header.ring_idx;
		}
	}
	return vgpu_gpu_write(request->writable, request->n_writable,
			      &call->answer, bytes);
}

static void handle(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request,
		   const struct command *commands, size_t n, uint32_t first,
		   bool must_answer)
{
	const struct command *command = NULL;
	bool is_answered = request->writable_bytes >= NODATA;
	const char *why = NULL;
	struct vgpu_gpu_call call;
	uint32_t answer;
	size_t written = 0;

	gpu->state->commands++;
	vgpu_gpu_reader_init(&call.rest, request->readable, request->n_readable);
	if (!vgpu_gpu_read(&call.rest, &call.header, sizeof(call.header))) {
		call.header = (struct vgpu_gpu_header){};
		answer = VGPU_GPU_ERR_UNSPEC;
		why = "request without a header";
	} else if (must_answer && !is_answered) {
		answer = VGPU_GPU_ERR_UNSPEC;
		why = "no room for any answer";
	} else {
		command = find(commands, n, first, call.header.type);
		answer = run(gpu, command, request, &call, is_answered, &why);
	}

	if (is_answered)
		written = answer_with(request, command, &call, answer);
	if (answer >= VGPU_GPU_ERR_UNSPEC)
		gpu->state->errors++;
	if (why)
		fault(gpu, command ? command->name : "command",
		      call.header.type, why);
	gpu->ops->status_changed(gpu->opaque);
	gpu->ops->complete(gpu->opaque, request, written);
}

void vgpu_gpu_control(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	handle(gpu, request, control_commands,
	       VGPU_ARRAY_SIZE(control_commands), VGPU_GPU_GET_DISPLAY_INFO,
	       /* must_answer= */ true);
}

void vgpu_gpu_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	/* Linux and Windows leave no room for an answer on this queue. */
	handle(gpu, request, cursor_commands, VGPU_ARRAY_SIZE(cursor_commands),
	       VGPU_GPU_UPDATE_CURSOR, /* must_answer= */ false);
}

void vgpu_gpu_config_read(struct vgpu_gpu *gpu,
			  uint8_t ret_config[VGPU_GPU_CONFIG_BYTES])
{
	struct vgpu_gpu_config_space space = {
		.events_read = gpu->state->events_read,
		.n_scanouts = gpu->n_scanouts,
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
	/* Only this field can be written, in whatever pieces. */
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
		state->head[head].cursor_in_use = 0;
		state->head[head].cursor_position = 0;
	}
	for (uint32_t slot = 0; slot < state->slots_used; slot++)
		vgpu_gpu_commit(&state->resource[slot].id, 0u);
	vgpu_gpu_commit(&state->slots_used, 0u);
	vgpu_gpu_table_clear(gpu);
	vgpu_gpu_extents_clear(&gpu->storage);
	vgpu_gpu_extents_clear(&gpu->entries);
	state->features = 0;
	state->events_read = 0;
	state->commands = 0;
	state->errors = 0;
	gpu->ops->status_changed(gpu->opaque);
}

void vgpu_gpu_status(const struct vgpu_gpu *gpu,
		     struct vgpu_control_status *status)
{
	status->heads = gpu->config.heads;
	status->commands = gpu->state->commands;
	status->errors = gpu->state->errors;
	status->framebuffer_used_bytes = gpu->storage.used;
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
