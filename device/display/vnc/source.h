/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The viewer's side of device/display/viewer_abi.h: pictures from a device. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_SOURCE_H
#define VGPU_DEVICE_DISPLAY_VNC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "device/display/pixels.h"

/* What became of a message. */
enum vgpu_vnc_news {
	VGPU_VNC_NONE,	  /* nothing to show yet */
	VGPU_VNC_DAMAGE,  /* the rectangles below; to be acknowledged */
	VGPU_VNC_RESIZED, /* another size, in a new place; the same */
	VGPU_VNC_OVER,	  /* the device is gone or broke the rules */
};

struct vgpu_vnc_rect {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

struct vgpu_vnc_source {
	int socket; /* to the device, or -1 */

	/* The picture, cursor included: ours, so that the device's own can
	 * change under it. Stays what it was when the device goes away. */
	uint32_t *pixels;
	uint32_t width;
	uint32_t height;
	/* What of it is new: of the picture, of the cursor before and now. */
	struct vgpu_vnc_rect damage[3];

	const uint32_t *frame; /* the device's memfd, mapped */
	uint64_t frame_bytes;
	uint32_t frame_width;
	uint32_t frame_height;
	bool has_cursor;
	bool is_cursor_new;
	int32_t cursor_x;
	int32_t cursor_y;
	struct vgpu_vnc_rect cursor_rect; /* where it is in pixels */
	uint32_t cursor[VGPU_CURSOR_SIDE * VGPU_CURSOR_SIDE];
};

/* Black until a device says otherwise. Returns 0 or -ENOMEM. */
int vgpu_vnc_source_init(struct vgpu_vnc_source *source);
void vgpu_vnc_source_finish(struct vgpu_vnc_source *source);

/* Show another device's pictures from now on. Takes @socket over; -1: none. */
void vgpu_vnc_source_attach(struct vgpu_vnc_source *source, int socket);

/*
 * Handle one message of the socket. After VGPU_VNC_RESIZED *ret_old are the
 * pixels before, to be freed by the caller once nothing uses them.
 */
enum vgpu_vnc_news vgpu_vnc_source_receive(struct vgpu_vnc_source *source,
					   uint32_t **ret_old);
/* The device may send the next batch. */
void vgpu_vnc_source_acknowledge(struct vgpu_vnc_source *source);

#endif
