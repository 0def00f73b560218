/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of heads, for screenshots, viewers and the VMM's display. */
#include "device/gpu/display/display.h"

#include <stdio.h>
#include <string.h>

#include "device/display/console.h"
#include "device/display/frame.h"
#include "device/gpu/memory/memory.h"

static uint32_t *row_of(const struct vgpu_picture *part, uint32_t row)
{
	return (uint32_t *)((uint8_t *)part->pixels +
			    (uint64_t)row * part->stride_bytes);
}

static void read_nothing(const struct vgpu_picture *part)
{
	for (uint32_t row = 0; row < part->height; row++)
		memset(row_of(part, row), 0, (size_t)part->width * 4);
}

static void read_2d(const uint8_t *pixels, const struct vgpu_gpu_state_view *view,
		    const struct vgpu_gpu_state_resource *resource,
		    const struct vgpu_picture *part)
{
	const struct vgpu_pixel_order *order;
	const uint32_t *from;

	order = vgpu_gpu_format_order(resource->format);
	from = (const uint32_t *)pixels +
	       (uint64_t)(view->rect.y + part->y) * resource->width +
	       view->rect.x + part->x;
	for (uint32_t row = 0; row < part->height; row++)
		vgpu_pixels_to_xrgb(row_of(part, row),
				    from + (uint64_t)row * resource->width,
				    part->width, order);
}

static void read_blob(struct vgpu_gpu *gpu,
		      const struct vgpu_gpu_state_view *view, uint32_t slot,
		      const struct vgpu_picture *part)
{
	const struct vgpu_pixel_order *order;
	struct vgpu_gpu_walk walk;
	uint64_t offset;

	order = vgpu_gpu_format_order(view->format);
	offset = view->offset +
		 (uint64_t)(view->rect.y + part->y) * view->stride_bytes +
		 (uint64_t)(view->rect.x + part->x) * 4;
	vgpu_gpu_walk_init(&walk, gpu, slot);
	for (uint32_t row = 0; row < part->height; row++) {
		uint32_t *to = row_of(part, row);

		/* A blob without backing (after a detach) is black. */
		if (!vgpu_gpu_walk_copy(
			    &walk, offset + (uint64_t)row * view->stride_bytes,
			    to, (uint64_t)part->width * 4))
			memset(to, 0, (size_t)part->width * 4);
		vgpu_pixels_to_xrgb(to, to, part->width, order);
	}
}

/* Straight from the memory, where a context renders into it. */
static void read_memory(const uint8_t *memory,
			const struct vgpu_gpu_state_view *view,
			const struct vgpu_picture *part)
{
	const struct vgpu_pixel_order *order;
	const uint8_t *from;

	order = vgpu_gpu_format_order(view->format);
	from = memory + view->offset +
	       (uint64_t)(view->rect.y + part->y) * view->stride_bytes +
	       (uint64_t)(view->rect.x + part->x) * 4;
	for (uint32_t row = 0; row < part->height; row++) {
		uint32_t *to = row_of(part, row);
		const uint8_t *at = from + (uint64_t)row * view->stride_bytes;

		if ((uintptr_t)at % sizeof(*to) == 0) {
			vgpu_pixels_to_xrgb(to, (const uint32_t *)at,
					    part->width, order);
			continue;
		}
		memcpy(to, at, (size_t)part->width * 4);
		vgpu_pixels_to_xrgb(to, to, part->width, order);
	}
}

static void read_part(void *opaque, uint32_t head, const struct vgpu_picture *part)
{
	struct vgpu_gpu *gpu = opaque;
	const struct vgpu_gpu_state_view *view = vgpu_gpu_view_of(gpu, head);
	const struct vgpu_gpu_state_resource *resource;
	const uint8_t *memory;
	uint32_t slot;

	if (!view) {
		read_nothing(part);
		return;
	}
	slot = vgpu_gpu_slot_find(gpu, view->resource_id);
	resource = &gpu->state->resource[slot];
	if (resource->kind == VGPU_GPU_KIND_BLOB) {
		read_blob(gpu, view, slot, part);
		return;
	}
	memory = vgpu_gpu_storage_map(gpu, resource->storage);
	if (!memory)
		read_nothing(part);
	else if (resource->kind == VGPU_GPU_KIND_2D)
		read_2d(memory, view, resource, part);
	else
		read_memory(memory, view, part);
}

static void picture_size(void *opaque, uint32_t head, uint32_t *ret_width,
			 uint32_t *ret_height)
{
	vgpu_gpu_picture_size(opaque, head, ret_width, ret_height);
}

static const uint32_t *cursor_of(void *opaque, uint32_t head,
				 struct vgpu_viewer_cursor *ret_cursor)
{
	struct vgpu_gpu *gpu = opaque;

	/* Nothing shows on a head that shows nothing. */
	if (!vgpu_gpu_view_of(gpu, head))
		return NULL;
	return vgpu_gpu_cursor_of(gpu, head, ret_cursor);
}

static bool is_shown(void *opaque, uint32_t head)
{
	return vgpu_gpu_view_of(opaque, head);
}

static const struct vgpu_viewer_source viewer_source = {
	.is_shown = is_shown,
	.size = picture_size,
	.read = read_part,
	.cursor = cursor_of,
};

static int check_head(const struct vgpu_gpu *gpu, uint32_t head,
		      struct vgpu_err *err)
{
	if (head < gpu->config.heads)
		return 0;
	return vgpu_err_set(err, -ENOENT, "NoSuchHead",
			    "there is no head %u: this vGPU has %u, counted from 0",
			    head, gpu->config.heads);
}

int vgpu_gpu_capture(struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_control_frame *ret_frame, int *ret_fd,
		     struct vgpu_err *err)
{
	struct vgpu_frame frame = VGPU_FRAME_NONE;
	struct vgpu_viewer_cursor cursor;
	const uint32_t *image;
	uint32_t width, height;
	struct vgpu_picture whole;
	int ret;

	ret = check_head(gpu, head, err);
	if (ret < 0)
		return ret;
	vgpu_gpu_picture_size(gpu, head, &width, &height);
	ret = vgpu_frame_init(&frame, width, height);
	if (ret < 0)
		return vgpu_err_set(err, ret, "Internal",
				    "no memory for a picture of %ux%u: %s",
				    width, height, strerror(-ret));

	whole = (struct vgpu_picture){
		.pixels = frame.pixels,
		.stride_bytes = frame.stride_bytes,
		.width = width,
		.height = height,
	};
	read_part(gpu, head, &whole);
	image = cursor_of(gpu, head, &cursor);
	if (image)
		vgpu_pixels_blend_cursor(&whole, image, cursor.x, cursor.y);

	ret = vgpu_frame_seal_contents(&frame);
	if (ret < 0) {
		vgpu_frame_finish(&frame);
		return vgpu_err_set(err, ret, "Internal",
				    "cannot seal the picture: %s",
				    strerror(-ret));
	}
	*ret_frame = (struct vgpu_control_frame){
		.width = width,
		.height = height,
		.stride_bytes = frame.stride_bytes,
	};
	*ret_fd = vgpu_steal_fd(&frame.fd);
	return 0;
}

void vgpu_gpu_picture_changed(struct vgpu_gpu *gpu, uint32_t head)
{
	vgpu_viewer_picture_changed(gpu->viewer[head]);
	vgpu_console_picture_changed(gpu->console, head);
	gpu->ops->status_changed(gpu->opaque);
}

void vgpu_gpu_damage_head(struct vgpu_gpu *gpu, uint32_t head,
			  const struct vgpu_gpu_rect *rect)
{
	vgpu_viewer_damage(gpu->viewer[head], rect->x, rect->y, rect->width,
			   rect->height);
	vgpu_console_damage(gpu->console, head, rect->x, rect->y, rect->width,
			    rect->height);
}

void vgpu_gpu_cursor_changed(struct vgpu_gpu *gpu, uint32_t head)
{
	vgpu_viewer_cursor_changed(gpu->viewer[head]);
	vgpu_console_cursor_changed(gpu->console, head);
}

void vgpu_gpu_cursor_moved(struct vgpu_gpu *gpu, uint32_t head)
{
	vgpu_viewer_cursor_moved(gpu->viewer[head]);
	vgpu_console_cursor_moved(gpu->console, head);
}

int vgpu_gpu_view(struct vgpu_gpu *gpu, uint32_t head, int socket,
		  struct vgpu_err *err)
{
	struct vgpu_viewer *viewer;
	int ret;

	ret = check_head(gpu, head, err);
	if (ret < 0) {
		vgpu_close(socket);
		return ret;
	}
	ret = vgpu_viewer_create(socket, head, &viewer_source, gpu, &viewer, err);
	if (ret < 0)
		return ret;
	vgpu_viewer_destroy(gpu->viewer[head]);
	gpu->viewer[head] = viewer;
	return 0;
}

void vgpu_gpu_take_input(struct vgpu_gpu *gpu, uint32_t head,
			 const struct vgpu_viewer_sink *sink, void *opaque)
{
	if (head < gpu->config.heads && gpu->viewer[head])
		vgpu_viewer_set_sink(gpu->viewer[head], sink, opaque);
}

int vgpu_gpu_viewer_fd(const struct vgpu_gpu *gpu, uint32_t head)
{
	if (head >= gpu->config.heads || !gpu->viewer[head])
		return -1;
	return vgpu_viewer_fd(gpu->viewer[head]);
}

void vgpu_gpu_viewer_readable(struct vgpu_gpu *gpu, uint32_t head)
{
	if (head >= gpu->config.heads || !gpu->viewer[head])
		return;
	if (vgpu_viewer_readable(gpu->viewer[head]))
		return;
	vgpu_viewer_destroy(gpu->viewer[head]);
	gpu->viewer[head] = NULL;
}

static void on_console_modes(void *opaque, const struct vgpu_console_mode *mode)
{
	struct vgpu_gpu *gpu = opaque;

	for (uint32_t head = 0; head < gpu->config.heads; head++)
		vgpu_gpu_head_follow(gpu, head, mode[head].width,
				     mode[head].height);
	vgpu_gpu_modes_known(gpu);
}

static void on_console_over(void *opaque, const char *why)
{
	struct vgpu_gpu *gpu = opaque;
	char text[128];

	if (why) {
		snprintf(text, sizeof(text), "the VMM's display is lost: %s",
			 why);
		gpu->ops->guest_fault(gpu->opaque, text);
	}
	vgpu_gpu_modes_known(gpu);
	gpu->ops->console_over(gpu->opaque);
}

static const struct vgpu_console_ops console_ops = {
	.modes = on_console_modes,
	.over = on_console_over,
};

int vgpu_gpu_set_console(struct vgpu_gpu *gpu, int socket)
{
	vgpu_console_destroy(gpu->console);
	gpu->console = NULL;
	if (socket < 0) {
		vgpu_gpu_modes_known(gpu);
		return 0;
	}
	return vgpu_console_create(gpu->config.event, socket, gpu->config.heads,
				   &viewer_source, &console_ops, gpu,
				   &gpu->console);
}
