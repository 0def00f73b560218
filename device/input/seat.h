/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seat of a vGPU: its keyboard and tablet, and who holds down what. */
#ifndef VGPU_DEVICE_INPUT_SEAT_H
#define VGPU_DEVICE_INPUT_SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/input/device.h"
#include "device/slots.h"
#include "lib/err.h"

struct vgpu_seat;

/* Whom events come from: a viewer, by its head. */
#define VGPU_SEAT_SOURCES 16
/*
 * Events of a source that are accepted in a second, and at once. More are
 * dropped; what goes up is always let up.
 */
#define VGPU_SEAT_EVENTS_PER_SECOND 1000
#define VGPU_SEAT_BURST		    200

/* Positions and buttons of a pointer. */
struct vgpu_seat_pointer {
	/* Of [0, width) x [0, height), all heads of the vGPU together. */
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
	uint32_t buttons; /* VGPU_VIEWER_BUTTON_... (viewer_abi.h) */
	int32_t wheel_up; /* steps */
	int32_t wheel_right;
};

/*
 * The seat on the fds of @slots, which outlive it. *ret_seat is NULL if there
 * are none: the vGPU was made by a vgpud that knew no seats.
 */
int vgpu_seat_create(sd_event *event, struct vgpu_slots *slots,
		     vgpu_input_fault *fault, void *opaque,
		     struct vgpu_seat **ret_seat, struct vgpu_err *err);
void vgpu_seat_destroy(struct vgpu_seat *seat); /* NULL is fine */

/* All below do nothing without a seat (NULL). */
void vgpu_seat_key(struct vgpu_seat *seat, uint32_t source, uint32_t code,
		   bool is_down);
void vgpu_seat_point(struct vgpu_seat *seat, uint32_t source,
		     const struct vgpu_seat_pointer *pointer);
/* @source is gone: what it alone holds down goes up. */
void vgpu_seat_leave(struct vgpu_seat *seat, uint32_t source);

#endif
