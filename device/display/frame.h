/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A picture in a memfd, to be passed to another process. */
#ifndef VGPU_DEVICE_DISPLAY_FRAME_H
#define VGPU_DEVICE_DISPLAY_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct vgpu_frame {
	int fd;
	uint32_t *pixels; /* mapped; zeroes at first */
	size_t bytes;
	uint32_t width;
	uint32_t height;
	uint32_t stride_bytes;
};

/* A frame that holds nothing, as finish leaves it. */
#define VGPU_FRAME_NONE ((struct vgpu_frame){.fd = -1})

/* Returns 0 or -errno; then @frame is as it was. */
int vgpu_frame_init(struct vgpu_frame *frame, uint32_t width, uint32_t height);
void vgpu_frame_finish(struct vgpu_frame *frame);

/*
 * Fix the frame's size for good, and let nobody write it but through the
 * mapping that this process has. Returns 0 or -errno.
 */
int vgpu_frame_seal(struct vgpu_frame *frame);
/* Fix size and contents for good; unmaps. Returns 0 or -errno. */
int vgpu_frame_seal_contents(struct vgpu_frame *frame);

#endif
