/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seat of a vGPU: its keyboard and tablet, and who holds down what. */
#include "device/input/seat.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "device/display/viewer_abi.h"
#include "device/input/abi.h"
#include "device/input/internal.h"
#include "lib/util.h"

#define USEC_PER_SEC 1000000ULL
#define EVENT_USEC   (USEC_PER_SEC / VGPU_SEAT_EVENTS_PER_SECOND)
/* What one message may turn a wheel by. */
#define WHEEL_MAX 16

struct source {
	uint64_t down[VGPU_INPUT_CODES / 64]; /* keys and buttons */
	uint64_t due_usec; /* when what it sent is paid for, at the rate allowed */
};

struct vgpu_seat {
	sd_event *event;
	struct vgpu_slots *view[VGPU_INPUTS];
	struct vgpu_input_device *device[VGPU_INPUTS];
	struct source source[VGPU_SEAT_SOURCES];
};

static const struct {
	uint32_t button;
	uint32_t code;
} buttons[] = {
	{VGPU_VIEWER_BUTTON_LEFT, BTN_LEFT},
	{VGPU_VIEWER_BUTTON_MIDDLE, BTN_MIDDLE},
	{VGPU_VIEWER_BUTTON_RIGHT, BTN_RIGHT},
	{VGPU_VIEWER_BUTTON_BACK, BTN_SIDE},
	{VGPU_VIEWER_BUTTON_FORWARD, BTN_EXTRA},
};

int vgpu_seat_create(sd_event *event, struct vgpu_slots *slots,
		     vgpu_input_fault *fault, void *opaque,
		     struct vgpu_seat **ret_seat, struct vgpu_err *err)
{
	struct vgpu_seat *seat;
	int r = 0;

	*ret_seat = NULL;
	for (uint32_t i = 0; i < VGPU_INPUTS; i++)
		if (vgpu_slots_get(slots, VGPU_SLOT_INPUT +
						  i * VGPU_SLOT_DEVICE_STRIDE +
						  VGPU_SLOT_STATE) < 0)
			return 0;
	seat = calloc(1, sizeof(*seat));
	if (!seat)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	seat->event = event;
	for (uint32_t i = 0; i < VGPU_INPUTS && r >= 0; i++) {
		r = vgpu_slots_view(slots,
				    VGPU_SLOT_INPUT + i * VGPU_SLOT_DEVICE_STRIDE,
				    &seat->view[i]);
		if (r < 0)
			vgpu_err_set(err, r, NULL, "no memory");
		else
			r = vgpu_input_device_create(event, seat->view[i], i,
						     fault, opaque,
						     &seat->device[i], err);
	}
	if (r < 0) {
		vgpu_seat_destroy(seat);
		return r;
	}
	*ret_seat = seat;
	return 0;
}

void vgpu_seat_destroy(struct vgpu_seat *seat)
{
	if (!seat)
		return;
	for (uint32_t i = 0; i < VGPU_INPUTS; i++) {
		vgpu_input_device_destroy(seat->device[i]);
		vgpu_slots_destroy(seat->view[i]);
	}
	free(seat);
}

/* Whether one event more of @source is within what it may send. */
static bool is_allowed(struct vgpu_seat *seat, struct source *source)
{
	uint64_t now = 0;

	sd_event_now(seat->event, CLOCK_MONOTONIC, &now);
	if (source->due_usec > now + VGPU_SEAT_BURST * EVENT_USEC)
		return false;
	source->due_usec = VGPU_MAX(source->due_usec, now) + EVENT_USEC;
	return true;
}

static bool is_held(const struct vgpu_seat *seat, uint32_t code)
{
	for (uint32_t i = 0; i < VGPU_SEAT_SOURCES; i++)
		if (seat->source[i].down[code / 64] >> code % 64 & 1)
			return true;
	return false;
}

/* Of a code that the device has. */
static void set_down(struct vgpu_seat *seat, struct source *source,
		     enum vgpu_input kind, uint32_t code, bool is_down)
{
	uint64_t *word = &source->down[code / 64];
	uint64_t bit = 1ULL << code % 64;

	if (!!(*word & bit) == is_down)
		return;
	*word ^= bit;
	if (is_down)
		vgpu_input_device_press(seat->device[kind], code);
	else if (!is_held(seat, code))
		vgpu_input_device_release(seat->device[kind], code);
}

void vgpu_seat_key(struct vgpu_seat *seat, uint32_t source, uint32_t code,
		   bool is_down)
{
	if (!seat || !vgpu_input_has_code(VGPU_INPUT_KEYBOARD, code) ||
	    (is_down && !is_allowed(seat, &seat->source[source])))
		return;
	set_down(seat, &seat->source[source], VGPU_INPUT_KEYBOARD, code, is_down);
}

/* The middle of pixel @at of @of, so that a guest's rounding finds it. */
static uint32_t scale(uint32_t at, uint32_t of)
{
	uint64_t place = VGPU_MIN(at, of - 1);

	return (uint32_t)((place * VGPU_INPUT_RANGE + VGPU_INPUT_RANGE / 2) / of);
}

static int32_t clamp_steps(int32_t steps)
{
	return VGPU_MAX(VGPU_MIN(steps, WHEEL_MAX), -WHEEL_MAX);
}

void vgpu_seat_point(struct vgpu_seat *seat, uint32_t source,
		     const struct vgpu_seat_pointer *pointer)
{
	struct vgpu_input_device *tablet;
	bool allowed;

	if (!seat || pointer->width == 0 || pointer->height == 0)
		return;
	tablet = seat->device[VGPU_INPUT_TABLET];
	allowed = is_allowed(seat, &seat->source[source]);
	/* First, for what is pressed is pressed there. */
	if (allowed)
		vgpu_input_device_move(tablet, scale(pointer->x, pointer->width),
				       scale(pointer->y, pointer->height));
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(buttons); i++) {
		bool is_down = pointer->buttons & buttons[i].button;

		if (!is_down || allowed)
			set_down(seat, &seat->source[source], VGPU_INPUT_TABLET,
				 buttons[i].code, is_down);
	}
	if (allowed && (pointer->wheel_up || pointer->wheel_right))
		vgpu_input_device_turn(tablet, clamp_steps(pointer->wheel_up),
				       clamp_steps(pointer->wheel_right));
}

void vgpu_seat_leave(struct vgpu_seat *seat, uint32_t source)
{
	if (!seat)
		return;
	for (uint32_t code = 0; code < VGPU_INPUT_CODES; code++) {
		enum vgpu_input kind = VGPU_INPUTS;

		for (uint32_t i = 0; i < VGPU_INPUTS; i++)
			if (vgpu_input_has_code(i, code))
				kind = i;
		if (kind != VGPU_INPUTS)
			set_down(seat, &seat->source[source], kind, code, false);
	}
}
