/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a head shows, as the manager captures it. */
#ifndef VGPU_CTL_COMMON_FRAME_H
#define VGPU_CTL_COMMON_FRAME_H

#include "ctl/ctl.h"
#include "lib/err.h"

#define CTL_PIXEL_BYTES 4 /* x8r8g8b8, little-endian */

struct ctl_frame {
	int fd; /* owned by the varlink connection, until its next call */
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint32_t next; /* number of the next row */
	uint8_t *row;  /* the owner's */
};

/*
 * Capture a head, as Capture's @parameters say. Returns 0 and a frame that is
 * checked and that the caller finishes, or a negative errno with @err.
 */
int ctl_frame_capture(struct ctl *ctl, sd_json_variant *parameters,
		      struct ctl_frame *ret, struct vgpu_err *err);
void ctl_frame_finish(struct ctl_frame *frame); /* zeroed is fine */

/* A ctl_png_row of a struct ctl_frame. */
const uint8_t *ctl_frame_next_row(void *frame, struct vgpu_err *err);

#endif
