/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads: modes, scanouts, cursors, frame rate, and viewers. */
#ifndef VGPU_DEVICE_GPU_DISPLAY_DISPLAY_H
#define VGPU_DEVICE_GPU_DISPLAY_DISPLAY_H

#include "device/display/viewer.h"
#include "device/gpu/core/request.h"
#include "lib/type.h"

static_assert(VGPU_HEADS_MAX == VGPU_GPU_SCANOUTS_MAX, "a head is a scanout");

/* scanout.c */
vgpu_gpu_handler vgpu_gpu_set_scanout, vgpu_gpu_set_scanout_blob,
	vgpu_gpu_resource_flush;
/* OK_NODATA if @view can be shown, or what is wrong with it. */
uint32_t vgpu_gpu_view_check(struct vgpu_gpu *gpu,
			     const struct vgpu_gpu_state_view *view,
			     bool is_blob);
/* What the head shows, or NULL. */
const struct vgpu_gpu_state_view *vgpu_gpu_view_of(const struct vgpu_gpu *gpu,
						   uint32_t head);
void vgpu_gpu_scanout_off(struct vgpu_gpu *gpu, uint32_t head);
/* No head shows the resource any more. */
void vgpu_gpu_scanouts_forget(struct vgpu_gpu *gpu, uint32_t resource_id);

/* replug.c */
/* The preferred mode of @head has changed, and the guest was notified. */
void vgpu_gpu_replug_mode_set(struct vgpu_gpu *gpu, uint32_t head);
/* @head shows nothing any more. */
void vgpu_gpu_replug_off(struct vgpu_gpu *gpu, uint32_t head);
void vgpu_gpu_replug_resume(struct vgpu_gpu *gpu);
void vgpu_gpu_replug_finish(struct vgpu_gpu *gpu);

/* frame_rate.c */
/* @heads (a bit each) have a new frame: OK_NODATA, or LATER to delay it. */
uint32_t vgpu_gpu_delay_frame(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			      uint32_t heads);

/* cursor.c */
vgpu_gpu_handler vgpu_gpu_update_cursor, vgpu_gpu_move_cursor;
/* The picture of the head's cursor, or NULL if it has none. */
const uint32_t *vgpu_gpu_cursor_of(const struct vgpu_gpu *gpu, uint32_t head,
				   struct vgpu_viewer_cursor *ret_cursor);

/* head.c: what the guest and the manager are told of the heads */
vgpu_gpu_handler vgpu_gpu_get_display_info, vgpu_gpu_get_edid;
/* A head's mode; 0 x 0 if it is unplugged. */
void vgpu_gpu_head_mode(const struct vgpu_gpu *gpu, uint32_t head,
			uint32_t *ret_width, uint32_t *ret_height);
bool vgpu_gpu_mode_is_valid(const struct vgpu_gpu *gpu, uint32_t width,
			    uint32_t height);
uint32_t vgpu_gpu_head_first_mode(const struct vgpu_gpu *gpu, uint32_t head);
/*
 * The VMM's display requests this size for @head (0 x 0: unplugged), and has
 * notified the guest itself. The size is clamped to what the type allows.
 */
void vgpu_gpu_head_follow(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
			  uint32_t height);
/* Answer pending GET_DISPLAY_INFO and GET_EDID with the modes known now. */
void vgpu_gpu_modes_known(struct vgpu_gpu *gpu);

/* capture.c */
/* What a picture of the head measures. */
void vgpu_gpu_picture_size(const struct vgpu_gpu *gpu, uint32_t head,
			   uint32_t *ret_width, uint32_t *ret_height);
/* The head's picture changed in its size or its source: all of it is new. */
void vgpu_gpu_picture_changed(struct vgpu_gpu *gpu, uint32_t head);
/* A part of it is new, where the head shows it. */
void vgpu_gpu_damage_head(struct vgpu_gpu *gpu, uint32_t head,
			  const struct vgpu_gpu_rect *rect);
void vgpu_gpu_cursor_changed(struct vgpu_gpu *gpu, uint32_t head);
void vgpu_gpu_cursor_moved(struct vgpu_gpu *gpu, uint32_t head);

static inline uint32_t vgpu_gpu_pack_mode(uint32_t width, uint32_t height)
{
	return width << 16 | height;
}

#endif
