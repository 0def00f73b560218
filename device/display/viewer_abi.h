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
 *                                    <-  KEY, POINTER, MODE   at any time
 *
 * The device sends in batches: [FRAME] [CURSOR] [CURSOR_MOVE] DAMAGE, and keeps
 * one batch unanswered at most. Its DAMAGE may be empty (0 x 0): then it only
 * asks for the ACK. What happens meanwhile is joined into the next batch: a
 * slow viewer gets fewer frames, and costs the guest nothing. The device writes
 * into the memfd only between the ACK and the next DAMAGE. A viewer that sends
 * anything else, or an ACK that was not asked for, is cut off; and so is one
 * that sends input and may only look, which vgpud decides (VGPU_CONTROL_VIEW).
 * Input beyond a rate (device/input/seat.h) is dropped, and so is what makes no
 * sense to the head. When a viewer ends, what it held down goes up.
 * Pixels are x8r8g8b8; a cursor's are 64 x 64 a8r8g8b8, premultiplied.
 */
enum vgpu_viewer_type {
	VGPU_VIEWER_FRAME = 1,
	VGPU_VIEWER_DAMAGE,
	VGPU_VIEWER_CURSOR, /* without an fd: no cursor is shown */
	VGPU_VIEWER_CURSOR_MOVE,
	VGPU_VIEWER_ACK,
	VGPU_VIEWER_KEY,     /* code, is_down */
	VGPU_VIEWER_POINTER, /* where it is now; buttons, wheel */
	VGPU_VIEWER_MODE,    /* the head should have this size: width, height */
};

/* Those that are down. */
#define VGPU_VIEWER_BUTTON_LEFT	   (1U << 0)
#define VGPU_VIEWER_BUTTON_MIDDLE  (1U << 1)
#define VGPU_VIEWER_BUTTON_RIGHT   (1U << 2)
#define VGPU_VIEWER_BUTTON_BACK	   (1U << 3)
#define VGPU_VIEWER_BUTTON_FORWARD (1U << 4)

struct vgpu_viewer_msg {
	uint32_t type;
	union {
		uint32_t width; /* FRAME, DAMAGE, MODE */
		uint32_t code;	/* KEY: KEY_... of linux/input-event-codes.h */
		uint32_t buttons; /* POINTER */
	};
	union {
		uint32_t height;  /* FRAME, DAMAGE, MODE */
		uint32_t is_down; /* KEY */
		int32_t wheel_up; /* POINTER: steps since the last one */
	};
	union {
		uint32_t stride_bytes; /* FRAME */
		int32_t wheel_right;   /* POINTER */
	};
	int32_t x; /* DAMAGE, CURSOR_MOVE, POINTER; the hot spot in CURSOR */
	int32_t y;
};

static_assert(sizeof(struct vgpu_viewer_msg) == 24, "viewer message size");

#endif
