/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's side of a viewer: sends what is new, without ever waiting. */
#ifndef VGPU_DEVICE_DISPLAY_VIEWER_H
#define VGPU_DEVICE_DISPLAY_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "device/display/pixels.h"
#include "lib/err.h"

struct vgpu_viewer;
struct vgpu_viewer_msg; /* viewer_abi.h */

struct vgpu_viewer_cursor {
	int32_t x; /* of its top left pixel, on the head */
	int32_t y;
	uint32_t hot_x;
	uint32_t hot_y;
};

/* Where a viewer's pictures come from. All are required. */
struct vgpu_viewer_source {
	/* Whether the head shows what the guest drew. */
	bool (*is_shown)(void *opaque, uint32_t head);
	/* Of the picture; of a head that shows nothing, its mode's. */
	void (*size)(void *opaque, uint32_t head, uint32_t *ret_width,
		     uint32_t *ret_height);
	/* Fill the part of the head's picture, without its cursor. */
	void (*read)(void *opaque, uint32_t head,
		     const struct vgpu_picture *part);
	/* The cursor's pixels, or NULL if it is hidden. */
	const uint32_t *(*cursor)(void *opaque, uint32_t head,
				  struct vgpu_viewer_cursor *ret_cursor);
};

/* Where what a viewer types and points at goes to. All are required. */
struct vgpu_viewer_sink {
	void (*key)(void *opaque, uint32_t head, uint32_t code, bool is_down);
	/* Nothing in @msg, a POINTER, is checked. */
	void (*pointer)(void *opaque, uint32_t head,
			const struct vgpu_viewer_msg *msg);
	void (*mode)(void *opaque, uint32_t head, uint32_t width,
		     uint32_t height);
};

/* Takes @socket over, also on failure. */
int vgpu_viewer_create(int socket, uint32_t head,
		       const struct vgpu_viewer_source *source, void *opaque,
		       struct vgpu_viewer **ret_viewer, struct vgpu_err *err);
void vgpu_viewer_destroy(struct vgpu_viewer *viewer); /* NULL is fine */
/* It may not only look. @sink outlives the viewer. */
void vgpu_viewer_set_sink(struct vgpu_viewer *viewer,
			  const struct vgpu_viewer_sink *sink, void *opaque);
int vgpu_viewer_fd(const struct vgpu_viewer *viewer);

/*
 * What is new. Each sends, if the viewer is ready for it; else it is kept and
 * joined with what comes. A viewer that fails is shut down, so that its fd
 * becomes readable. NULL is fine.
 */
void vgpu_viewer_damage(struct vgpu_viewer *viewer, uint32_t x, uint32_t y,
			uint32_t width, uint32_t height);
/* Size or source of the picture: all of it. */
void vgpu_viewer_picture_changed(struct vgpu_viewer *viewer);
void vgpu_viewer_cursor_changed(struct vgpu_viewer *viewer);
void vgpu_viewer_cursor_moved(struct vgpu_viewer *viewer);

/* Its fd is readable. False if the viewer is over and must be destroyed. */
bool vgpu_viewer_readable(struct vgpu_viewer *viewer);

#endif
