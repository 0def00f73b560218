/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads: preferred modes, GET_DISPLAY_INFO and GET_EDID. */
#include "device/gpu/display/display.h"

#include "device/display/console.h"
#include "device/display/edid.h"

/* The size of a head that is unplugged and shows nothing. */
#define UNPLUGGED_WIDTH	 1024
#define UNPLUGGED_HEIGHT 768

static void unplugged_size(const struct vgpu_gpu *gpu, uint32_t *ret_width,
			   uint32_t *ret_height)
{
	*ret_width = UNPLUGGED_WIDTH;
	*ret_height = UNPLUGGED_HEIGHT;
	if (gpu->config.heads == 0)
		return;
	*ret_width = VGPU_MIN(*ret_width, gpu->config.max_width);
	*ret_height = VGPU_MIN(*ret_height, gpu->config.max_height);
}

bool vgpu_gpu_mode_is_valid(const struct vgpu_gpu *gpu, uint32_t width,
			    uint32_t height)
{
	return width >= VGPU_TYPE_WIDTH_MIN && width <= gpu->config.max_width &&
	       height >= VGPU_TYPE_HEIGHT_MIN &&
	       height <= gpu->config.max_height;
}

/*
 * Only the first head is plugged in at first, at the type's resolution; setting
 * a mode plugs in others. So no guest draws on monitors that nobody looks at.
 */
uint32_t vgpu_gpu_head_first_mode(const struct vgpu_gpu *gpu, uint32_t head)
{
	if (head > 0 || gpu->config.heads == 0)
		return 0;
	return vgpu_gpu_pack_mode(gpu->config.max_width, gpu->config.max_height);
}

void vgpu_gpu_head_mode(const struct vgpu_gpu *gpu, uint32_t head,
			uint32_t *ret_width, uint32_t *ret_height)
{
	uint32_t mode = gpu->state->head[head].preferred;

	*ret_width = mode >> 16;
	*ret_height = mode & 0xffff;
}

void vgpu_gpu_picture_size(const struct vgpu_gpu *gpu, uint32_t head,
			   uint32_t *ret_width, uint32_t *ret_height)
{
	const struct vgpu_gpu_state_view *view = vgpu_gpu_view_of(gpu, head);
	uint32_t width, height;

	vgpu_gpu_head_mode(gpu, head, &width, &height);
	if (view) {
		width = view->rect.width;
		height = view->rect.height;
	} else if (width == 0) {
		unplugged_size(gpu, &width, &height);
	}
	*ret_width = width;
	*ret_height = height;
}

static uint32_t answer_display_info(struct vgpu_gpu *gpu,
				    struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_answer_display_info *info = &call->answer.display_info;
	uint32_t x = 0;

	/* Side by side, from left to right. */
	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		struct vgpu_gpu_rect *rect = &info->modes[head].rect;

		vgpu_gpu_head_mode(gpu, head, &rect->width, &rect->height);
		if (gpu->state->head[head].is_away)
			*rect = (struct vgpu_gpu_rect){};
		if (rect->width == 0)
			continue;
		rect->x = x;
		x += rect->width;
		info->modes[head].enabled = 1;
	}
	return VGPU_GPU_OK_DISPLAY_INFO;
}

void vgpu_gpu_head_follow(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
			  uint32_t height)
{
	uint32_t mode = 0;

	if (width && height)
		mode = vgpu_gpu_pack_mode(
			VGPU_MIN(VGPU_MAX(width, VGPU_TYPE_WIDTH_MIN),
				 gpu->config.max_width),
			VGPU_MIN(VGPU_MAX(height, VGPU_TYPE_HEIGHT_MIN),
				 gpu->config.max_height));
	if (gpu->state->head[head].preferred == mode)
		return;
	vgpu_gpu_commit(&gpu->state->head[head].preferred, mode);
	if (!vgpu_gpu_view_of(gpu, head))
		vgpu_gpu_picture_changed(gpu, head);
	gpu->ops->status_changed(gpu->opaque);
}

static uint32_t answer_edid(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t head = call->get_edid.scanout_id;
	struct vgpu_edid_config config = {
		.head = head,
		.max_width = gpu->config.max_width,
		.max_height = gpu->config.max_height,
	};

	if (head >= gpu->n_scanouts)
		return VGPU_GPU_ERR_INVALID_SCANOUT_ID;
	/* Drivers read the EDID of unplugged heads, too. */
	if (head < gpu->config.heads)
		vgpu_gpu_head_mode(gpu, head, &config.width, &config.height);
	if (config.width == 0)
		unplugged_size(gpu, &config.width, &config.height);
	static_assert(VGPU_EDID_BYTES_MAX <= VGPU_GPU_EDID_MAX, "EDID fits");
	call->answer.edid.bytes = vgpu_edid_make(&config, call->answer.edid.edid);
	return VGPU_GPU_OK_EDID;
}

/* Answer @call when the VMM's display has said what modes it wants. */
static uint32_t wait_for_console(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	return vgpu_gpu_park_running(gpu, call) ? VGPU_GPU_LATER
						: VGPU_GPU_ERR_OUT_OF_MEMORY;
}

uint32_t vgpu_gpu_get_display_info(struct vgpu_gpu *gpu,
				   struct vgpu_gpu_call *call)
{
	if (vgpu_console_ask(gpu->console))
		return wait_for_console(gpu, call);
	return answer_display_info(gpu, call);
}

uint32_t vgpu_gpu_get_edid(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	if (vgpu_console_is_asking(gpu->console))
		return wait_for_console(gpu, call);
	return answer_edid(gpu, call);
}

void vgpu_gpu_modes_known(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_pending *pending, *next;

	for (pending = TAILQ_FIRST(&gpu->pendings); pending; pending = next) {
		vgpu_gpu_handler *handle = pending->call.rule->handle;

		next = TAILQ_NEXT(pending, entry);
		if (!pending->is_running)
			continue;
		if (handle == vgpu_gpu_get_display_info)
			vgpu_gpu_finish(gpu, &gpu->pendings, pending,
					answer_display_info(gpu, &pending->call));
		else if (handle == vgpu_gpu_get_edid)
			vgpu_gpu_finish(gpu, &gpu->pendings, pending,
					answer_edid(gpu, &pending->call));
	}
}

int vgpu_gpu_set_mode(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
		      uint32_t height, struct vgpu_err *err)
{
	struct vgpu_gpu_state *state = gpu->state;
	uint32_t mode;

	if (head >= gpu->config.heads)
		return vgpu_err_set(
			err, -ENOENT, "NoSuchHead",
			"there is no head %u: this vGPU has %u, counted from 0",
			head, gpu->config.heads);
	if ((width != 0 || height != 0) &&
	    !vgpu_gpu_mode_is_valid(gpu, width, height))
		return vgpu_err_set(
			err, -EINVAL, "BadMode",
			"%ux%u is not a mode of this head: it takes %ux%u to %ux%u, or 0x0 to unplug it",
			width, height, VGPU_TYPE_WIDTH_MIN, VGPU_TYPE_HEIGHT_MIN,
			gpu->config.max_width, gpu->config.max_height);

	mode = vgpu_gpu_pack_mode(width, height);
	if (state->head[head].preferred == mode)
		return 0;
	if (vgpu_console_is_open(gpu->console))
		return vgpu_err_set(
			err, -EBUSY, "BadMode",
			"the VM's own display (vhost-user-gpu) sets its modes: change the size there");
	vgpu_gpu_commit(&state->head[head].preferred, mode);
	state->events_read |= VGPU_GPU_EVENT_DISPLAY;
	if (!vgpu_gpu_view_of(gpu, head))
		vgpu_gpu_picture_changed(gpu, head);
	vgpu_gpu_replug_mode_set(gpu, head);
	gpu->ops->config_changed(gpu->opaque);
	gpu->ops->status_changed(gpu->opaque);
	return 0;
}
