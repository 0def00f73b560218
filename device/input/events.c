/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events on their way to a guest, in a ring in the state block. */
#include <linux/input-event-codes.h>
#include <string.h>

#include "device/input/internal.h"
#include "device/state_abi.h"

/* An event and the SYN_REPORT after it. */
#define REPORT 2U
/* A position: ABS_X, ABS_Y, SYN_REPORT. */
#define POSITION 3U

static struct vgpu_input_event *event_at(struct vgpu_input_state *state,
					 uint64_t number)
{
	return &state->event[number % VGPU_INPUT_EVENTS];
}

static uint64_t count_down(const struct vgpu_input_state *state)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < VGPU_INPUT_CODES / 64; i++)
		n += (uint64_t)__builtin_popcountll(state->down[i]);
	return n;
}

/*
 * Room for @n events beside the releases that are still to come. Whoever adds
 * some leaves room for one release more, which a process that died in
 * vgpu_input_release() had added, and its successor will add again.
 */
static bool has_room(const struct vgpu_input_state *state, uint64_t n)
{
	const uint64_t spare = n ? REPORT : 0;

	return state->added - state->fetched + n + spare +
		       REPORT * count_down(state) <=
	       VGPU_INPUT_EVENTS;
}

void vgpu_input_events_check(struct vgpu_input_state *state)
{
	if (state->added - state->fetched > VGPU_INPUT_EVENTS ||
	    !has_room(state, 0))
		vgpu_input_events_reset(state);
}

void vgpu_input_events_reset(struct vgpu_input_state *state)
{
	vgpu_state_commit(state->fetched, state->added);
	memset(state->down, 0, sizeof(state->down));
	state->leds = 0;
}

bool vgpu_input_is_down(const struct vgpu_input_state *state, uint32_t code)
{
	return state->down[code / 64] >> code % 64 & 1;
}

/* Add @n events and what ends their report: all of them, or none. */
static void add_report(struct vgpu_input_state *state,
		       const struct vgpu_input_event *event, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		*event_at(state, state->added + i) = event[i];
	*event_at(state, state->added + n) =
		(struct vgpu_input_event){EV_SYN, SYN_REPORT, 0};
	vgpu_state_commit(state->added, state->added + n + 1);
}

bool vgpu_input_press(struct vgpu_input_state *state, uint32_t code)
{
	const struct vgpu_input_event event = {EV_KEY, (uint16_t)code, 1};

	if (vgpu_input_is_down(state, code))
		return true;
	/* ... and for its own release. */
	if (!has_room(state, REPORT + REPORT))
		return false;
	/* First, so that a successor releases what the guest may know of. */
	vgpu_state_commit(state->down[code / 64],
			  state->down[code / 64] | 1ULL << code % 64);
	add_report(state, &event, 1);
	return true;
}

void vgpu_input_release(struct vgpu_input_state *state, uint32_t code)
{
	const struct vgpu_input_event event = {EV_KEY, (uint16_t)code, 0};

	if (!vgpu_input_is_down(state, code))
		return;
	add_report(state, &event, 1);
	vgpu_state_commit(state->down[code / 64],
			  state->down[code / 64] & ~(1ULL << code % 64));
}

static bool is_position(const struct vgpu_input_event *event)
{
	return event->type == EV_ABS && event->code == ABS_X;
}

bool vgpu_input_move(struct vgpu_input_state *state, uint32_t x, uint32_t y)
{
	const struct vgpu_input_event event[] = {{EV_ABS, ABS_X, x},
						 {EV_ABS, ABS_Y, y}};

	if (state->added - state->fetched >= POSITION &&
	    is_position(event_at(state, state->added - POSITION))) {
		event_at(state, state->added - POSITION)->value = x;
		event_at(state, state->added - POSITION + 1)->value = y;
		return true;
	}
	if (!has_room(state, POSITION))
		return false;
	add_report(state, event, 2);
	return true;
}

bool vgpu_input_turn(struct vgpu_input_state *state, uint32_t code, int32_t steps)
{
	const struct vgpu_input_event event = {EV_REL, (uint16_t)code,
					       (uint32_t)steps};

	if (!has_room(state, REPORT))
		return false;
	add_report(state, &event, 1);
	return true;
}

bool vgpu_input_has_event(const struct vgpu_input_state *state)
{
	return state->added != state->fetched;
}

struct vgpu_input_event vgpu_input_fetch(struct vgpu_input_state *state,
					 uint64_t *token)
{
	uint64_t number = state->fetched;
	struct vgpu_input_event event;

	/*
	 * The predecessor had chosen one, and may have noted that it is
	 * fetched: each is answered before the next one is.
	 */
	if (*token && *token <= state->added &&
	    (*token == state->fetched || *token == state->fetched + 1))
		number = *token - 1;
	else if (number == state->added)
		return (struct vgpu_input_event){EV_SYN, SYN_REPORT, 0};
	event = *event_at(state, number);
	vgpu_state_commit(*token, number + 1);
	vgpu_state_commit(state->fetched, number + 1);
	return event;
}
