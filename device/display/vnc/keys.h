/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which key of a keyboard makes what a VNC client says was typed. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_KEYS_H
#define VGPU_DEVICE_DISPLAY_VNC_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* AltGr, where it makes characters that a US keyboard has elsewhere. */
#define VGPU_VNC_LEVEL3_SHIFT 0xfe03

struct vgpu_vnc_key {
	uint32_t code; /* KEY_... of linux/input-event-codes.h; 0: there is none */
	/* A character: the key makes it with Shift up, or with Shift down. */
	bool is_character;
	bool is_shifted;
	bool is_letter; /* Caps Lock turns that round */
};

/* The key that has @keysym on a US keyboard. */
struct vgpu_vnc_key vgpu_vnc_key_of_symbol(uint32_t keysym);
/*
 * The key of an extended key event's number: a set 1 scan code, and 0x80 for
 * the prefix 0xe0. 0: none.
 */
uint32_t vgpu_vnc_key_of_number(uint32_t number);

#endif
