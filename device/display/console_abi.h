/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to a VMM's own display (QEMU's docs/interop/vhost-user-gpu.rst). */
#ifndef VGPU_DEVICE_DISPLAY_CONSOLE_ABI_H
#define VGPU_DEVICE_DISPLAY_CONSOLE_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * A stream socket, which the VMM makes when the guest's driver starts, and
 * closes when it stops. The back end sends; of the messages that we send only
 * GET_DISPLAY_INFO is answered. Numbers are in the machine's byte order.
 */
enum vgpu_console_request {
	VHOST_USER_GPU_GET_DISPLAY_INFO = 3,
	VHOST_USER_GPU_CURSOR_POS = 4,
	VHOST_USER_GPU_CURSOR_POS_HIDE = 5,
	VHOST_USER_GPU_CURSOR_UPDATE = 6,
	VHOST_USER_GPU_SCANOUT = 7,
	VHOST_USER_GPU_UPDATE = 8,
};

#define VHOST_USER_GPU_REPLY (1U << 2) /* in flags */

struct vhost_user_gpu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload that follows */
};
static_assert(sizeof(struct vhost_user_gpu_header) == 12, "header size");

struct vhost_user_gpu_cursor_pos {
	uint32_t scanout_id;
	uint32_t x; /* signed, as virtio's */
	uint32_t y;
};
static_assert(sizeof(struct vhost_user_gpu_cursor_pos) == 12, "position size");

#define VHOST_USER_GPU_CURSOR_PIXELS (64 * 64)

struct vhost_user_gpu_cursor_update {
	struct vhost_user_gpu_cursor_pos pos;
	uint32_t hot_x;
	uint32_t hot_y;
	uint32_t pixels[VHOST_USER_GPU_CURSOR_PIXELS]; /* a8r8g8b8 */
};
static_assert(sizeof(struct vhost_user_gpu_cursor_update) == 20 + 16384,
	      "cursor size");

/* 0 x 0: the scanout shows nothing. */
struct vhost_user_gpu_scanout {
	uint32_t scanout_id;
	uint32_t width;
	uint32_t height;
};
static_assert(sizeof(struct vhost_user_gpu_scanout) == 12, "scanout size");

/* The pixels, x8r8g8b8 without a gap between rows, follow. */
struct vhost_user_gpu_update {
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};
static_assert(sizeof(struct vhost_user_gpu_update) == 20, "update size");

#define VHOST_USER_GPU_SCANOUTS_MAX 16

/* virtio 1.3, 5.7.6.8: struct virtio_gpu_resp_display_info */
struct vhost_user_gpu_display_info {
	uint8_t virtio_header[24];
	struct {
		uint32_t x;
		uint32_t y;
		uint32_t width;
		uint32_t height;
		uint32_t enabled;
		uint32_t flags;
	} mode[VHOST_USER_GPU_SCANOUTS_MAX];
};
static_assert(sizeof(struct vhost_user_gpu_display_info) == 408, "info size");

#endif
