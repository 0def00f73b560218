/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VNC clients type and point at, on its way to the device. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_INPUT_H
#define VGPU_DEVICE_DISPLAY_VNC_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "device/display/viewer_abi.h"

#define VGPU_VNC_KEY_CODES 256

/* What one client holds down. Zeroes: nothing. */
struct vgpu_vnc_hands {
	uint64_t down[VGPU_VNC_KEY_CODES / 64];
	uint32_t buttons; /* VGPU_VIEWER_BUTTON_... */
	uint32_t wheel;	  /* buttons of RFB that stand for it */
	/* The codes of keysyms that are down: their keys may have changed. */
	struct {
		uint32_t keysym;
		uint32_t code;
	} typed[16];
};

/* Of all clients together. The device gets no more than its socket takes. */
struct vgpu_vnc_input {
	int socket; /* of the device, or -1; not ours */
	uint8_t holders[VGPU_VNC_KEY_CODES];	/* clients that hold it */
	uint64_t told[VGPU_VNC_KEY_CODES / 64]; /* down, as the device knows */
	bool is_capital;			/* Caps Lock, as typed here */
	bool is_late; /* a release could not be sent */
	struct vgpu_viewer_msg pointer;
	bool is_pointer_new; /* ... and not sent */
	uint64_t pointer_ns; /* when it last was */
	uint64_t mode_ns;
};

void vgpu_vnc_input_init(struct vgpu_vnc_input *input);
/* Another device, which knows of nothing yet; -1: none. */
void vgpu_vnc_input_attach(struct vgpu_vnc_input *input, int socket);

void vgpu_vnc_input_symbol(struct vgpu_vnc_input *input,
			   struct vgpu_vnc_hands *hands, uint32_t keysym,
			   bool is_down);
/* By the number of an extended key event. */
void vgpu_vnc_input_number(struct vgpu_vnc_input *input,
			   struct vgpu_vnc_hands *hands, uint32_t number,
			   bool is_down);
/* @mask as in RFB. */
void vgpu_vnc_input_point(struct vgpu_vnc_input *input,
			  struct vgpu_vnc_hands *hands, uint32_t mask,
			  int32_t x, int32_t y);
/* False: not now, for the last was a moment ago. */
bool vgpu_vnc_input_mode(struct vgpu_vnc_input *input, uint32_t width,
			 uint32_t height);
/* The client is gone: what it holds goes up. */
void vgpu_vnc_input_leave(struct vgpu_vnc_input *input,
			  struct vgpu_vnc_hands *hands);

/* Send what could not be sent; in how many ms to call it again, -1: never. */
int vgpu_vnc_input_flush(struct vgpu_vnc_input *input);

#endif
