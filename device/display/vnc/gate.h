/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that a client's message is complete, for LibVNCServer blocks on the
 * rest of one.
 */
#ifndef VGPU_DEVICE_DISPLAY_VNC_GATE_H
#define VGPU_DEVICE_DISPLAY_VNC_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <rfb/rfb.h>

/* SetDesktopSize, with as many screens at most. */
#define VGPU_VNC_SCREENS_MAX	16U
#define VGPU_VNC_SIZE_BYTES(n)	(8U + 16U * (n))
#define VGPU_VNC_SIZE_BYTES_MAX VGPU_VNC_SIZE_BYTES(VGPU_VNC_SCREENS_MAX)

struct vgpu_vnc_gate {
	uint64_t since_ns;   /* it has begun what is not whole yet */
	uint32_t skip_bytes; /* of a message that means nothing to us */
	bool is_half;	     /* there is something, and more has to come */
	bool has_input;	     /* the client may type and point */
};

enum vgpu_vnc_look {
	VGPU_VNC_LOOK_NOTHING, /* or not all of it */
	VGPU_VNC_LOOK_WHOLE,   /* one message, which can be read at once */
	VGPU_VNC_LOOK_END,     /* it is too late, or makes no sense */
};

void vgpu_vnc_gate_init(struct vgpu_vnc_gate *gate, bool has_input);
/*
 * Discard messages that the server ignores from @client's socket, and check the
 * next one.
 */
enum vgpu_vnc_look vgpu_vnc_gate_look(struct vgpu_vnc_gate *gate,
				      const rfbClientRec *client);

#endif
