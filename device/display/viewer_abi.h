/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between a vgpu-device and a viewer of one head (vgpu-vnc). */
#ifndef VGPU_DEVICE_VIEWER_ABI_H
#define VGPU_DEVICE_VIEWER_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * SOCK_SEQPACKET; one message is one struct vgpu_viewer_msg.
 *
 *   device                               viewer
 *     FRAME (+ memfd of the pixels)  ->            at first, at every new size
 *     DAMAGE                         ->            this rectangle is new
 *                                    <-  ACK       ready for the next
 *     CURSOR (+ memfd), CURSOR_MOVE  ->
 *
 * The device sends in batches: [FRAME] [CURSOR] [CURSOR_MOVE] DAMAGE, and keeps
 * one batch unanswered at most. Its DAMAGE may be empty (0 x 0): then it only
 * asks for the ACK. What happens meanwhile is joined into the next batch: a
 * slow viewer gets fewer frames, and costs the guest nothing. The device writes
 * into the memfd only between the ACK and the next DAMAGE. A viewer that sends
 * anything else, or an ACK that was not asked for, is cut off.
 * Pixels are x8r8g8b8; a cursor's are 64 x 64 a8r8g8b8, premultiplied.
 */
enum vgpu_viewer_type {
	VGPU_VIEWER_FRAME = 1,
	VGPU_VIEWER_DAMAGE,
	VGPU_VIEWER_CURSOR, /* without an fd: no cursor is shown */
	VGPU_VIEWER_CURSOR_MOVE,
	VGPU_VIEWER_ACK,
};

struct vgpu_viewer_msg {
	uint32_t type;
	uint32_t width; /* FRAME, DAMAGE */
	uint32_t height;
	uint32_t stride_bytes; /* FRAME */
	int32_t x;	       /* DAMAGE, CURSOR_MOVE; the hot spot in CURSOR */
	int32_t y;
};

static_assert(sizeof(struct vgpu_viewer_msg) == 24, "viewer message size");

#endif
