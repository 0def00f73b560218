/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An input device's part of its state block (device/state_abi.h). */
#ifndef VGPU_DEVICE_INPUT_STATE_ABI_H
#define VGPU_DEVICE_INPUT_STATE_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * Events that the guest has not fetched yet; a power of two. A line that a
 * program types at once fits into it several times.
 */
#define VGPU_INPUT_EVENTS 4096
/* Key and button codes are below this (KEY_CNT of linux/input.h). */
#define VGPU_INPUT_CODES 768

struct vgpu_input_event {
	uint16_t type; /* EV_... */
	uint16_t code;
	uint32_t value;
};
static_assert(sizeof(struct vgpu_input_event) == 8, "input event size");

struct vgpu_input_state {
	/* What config space shows: select, and from bit 8 on subsel. */
	uint32_t selected;
	uint32_t leds;	/* a bit for each that the guest has on */
	uint64_t added; /* events, in all; the next is event[added % EVENTS] */
	uint64_t fetched; /* of them by the guest; written last */
	/* Codes whose last event, fetched or not, says that they are down. */
	uint64_t down[VGPU_INPUT_CODES / 64];
	struct vgpu_input_event event[VGPU_INPUT_EVENTS];
};
static_assert(sizeof(struct vgpu_input_state) ==
		      24 + VGPU_INPUT_CODES / 8 + 8 * VGPU_INPUT_EVENTS,
	      "input state size");

#endif
