/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What VNC clients type and point at, on its way to the device. If the device
 * is slow, presses are lost, moves are joined, and releases wait.
 */
#include "device/display/vnc/input.h"

#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "device/display/vnc/keys.h"
#include "lib/util.h"

#define NSEC_PER_MSEC 1000000ULL
/* Between two moves, well below the rate that the device takes. */
#define MOVE_NS (4 * NSEC_PER_MSEC)
/* How soon the size may change again: longer than the device demands. */
#define MODE_NS (300 * NSEC_PER_MSEC)
/* When to try again what the device's socket had no room for. */
#define LATE_MS 5

/* Buttons of RFB that are steps of a wheel. */
#define WHEEL_UP    (1U << 3)
#define WHEEL_DOWN  (1U << 4)
#define WHEEL_LEFT  (1U << 5)
#define WHEEL_RIGHT (1U << 6)
#define WHEEL_MASK  (WHEEL_UP | WHEEL_DOWN | WHEEL_LEFT | WHEEL_RIGHT)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void vgpu_vnc_input_init(struct vgpu_vnc_input *input)
{
	*input = (struct vgpu_vnc_input){.socket = -1};
}

void vgpu_vnc_input_attach(struct vgpu_vnc_input *input, int socket)
{
	input->socket = socket;
	memset(input->told, 0, sizeof(input->told));
	input->is_late = false;
	input->is_pointer_new = false;
}

static bool send_msg(const struct vgpu_vnc_input *input,
		     const struct vgpu_viewer_msg *msg)
{
	return input->socket >= 0 &&
	       send(input->socket, msg, sizeof(*msg),
		    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*msg);
}

static bool is_set(const uint64_t *bits, uint32_t code)
{
	return bits[code / 64] >> code % 64 & 1;
}

/* Tell the device that the key is down, or not. */
static void tell_key(struct vgpu_vnc_input *input, uint32_t code, bool is_down)
{
	const struct vgpu_viewer_msg msg = {
		.type = VGPU_VIEWER_KEY,
		.code = code,
		.is_down = is_down,
	};

	if (is_set(input->told, code) == is_down)
		return;
	if (send_msg(input, &msg))
		input->told[code / 64] ^= 1ULL << code % 64;
	else if (!is_down)
		input->is_late = true;
}

static void hold_key(struct vgpu_vnc_input *input, struct vgpu_vnc_hands *hands,
		     uint32_t code, bool is_down)
{
	/* A client that repeats: the guest does that itself. */
	if (is_set(hands->down, code) == is_down)
		return;
	hands->down[code / 64] ^= 1ULL << code % 64;
	if (code == KEY_CAPSLOCK && is_down)
		input->is_capital = !input->is_capital;
	input->holders[code] =
		(uint8_t)(input->holders[code] + (is_down ? 1 : -1));
	tell_key(input, code, input->holders[code] > 0);
}

static bool is_typed(const struct vgpu_vnc_hands *hands, uint32_t keysym)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(hands->typed); i++)
		if (hands->typed[i].code && hands->typed[i].keysym == keysym)
			return true;
	return false;
}

static bool is_shift_down(const struct vgpu_vnc_input *input)
{
	return is_set(input->told, KEY_LEFTSHIFT) ||
	       is_set(input->told, KEY_RIGHTSHIFT);
}

/*
 * Press the key of a character. A client's keyboard may make it with other
 * modifiers than a US keyboard does: those are let up, or down, for that moment.
 */
static void press_character(struct vgpu_vnc_input *input,
			    struct vgpu_vnc_hands *hands,
			    const struct vgpu_vnc_key *key)
{
	static const uint16_t modifiers[] = {KEY_LEFTSHIFT, KEY_RIGHTSHIFT,
					     KEY_RIGHTALT};
	bool was[VGPU_ARRAY_SIZE(modifiers)];
	bool is_level3 = is_typed(hands, VGPU_VNC_LEVEL3_SHIFT);
	/* Whoever types with Caps Lock on has it on in the guest, too. */
	bool fits = is_shift_down(input) == key->is_shifted ||
		    (key->is_letter && input->is_capital);

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(modifiers); i++)
		was[i] = is_set(input->told, modifiers[i]);
	if (is_level3)
		tell_key(input, KEY_RIGHTALT, false);
	if (!fits && key->is_shifted) {
		tell_key(input, KEY_LEFTSHIFT, true);
	} else if (!fits) {
		tell_key(input, KEY_LEFTSHIFT, false);
		tell_key(input, KEY_RIGHTSHIFT, false);
	}
	hold_key(input, hands, key->code, true);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(modifiers); i++)
		tell_key(input, modifiers[i], was[i]);
}

/* Remember which key @keysym pressed. False: too many are down. */
static bool note_typed(struct vgpu_vnc_hands *hands, uint32_t keysym,
		       uint32_t code)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(hands->typed); i++) {
		if (hands->typed[i].code && hands->typed[i].keysym != keysym)
			continue;
		hands->typed[i].keysym = keysym;
		hands->typed[i].code = code;
		return true;
	}
	return false;
}

void vgpu_vnc_input_symbol(struct vgpu_vnc_input *input,
			   struct vgpu_vnc_hands *hands, uint32_t keysym,
			   bool is_down)
{
	struct vgpu_vnc_key key;

	if (!is_down) {
		for (size_t i = 0; i < VGPU_ARRAY_SIZE(hands->typed); i++) {
			if (!hands->typed[i].code ||
			    hands->typed[i].keysym != keysym)
				continue;
			hold_key(input, hands, hands->typed[i].code, false);
			hands->typed[i].code = 0;
		}
		return;
	}
	key = vgpu_vnc_key_of_symbol(keysym);
	if (!key.code || !note_typed(hands, keysym, key.code))
		return;
	if (key.is_character)
		press_character(input, hands, &key);
	else
		hold_key(input, hands, key.code, true);
}

void vgpu_vnc_input_number(struct vgpu_vnc_input *input,
			   struct vgpu_vnc_hands *hands, uint32_t number,
			   bool is_down)
{
	uint32_t code = vgpu_vnc_key_of_number(number);

	if (code)
		hold_key(input, hands, code, is_down);
}

static uint32_t buttons_of(uint32_t mask)
{
	/* Left, middle and right are the same bits; 8 and 9 came later. */
	uint32_t buttons =
		mask & (VGPU_VIEWER_BUTTON_LEFT | VGPU_VIEWER_BUTTON_MIDDLE |
			VGPU_VIEWER_BUTTON_RIGHT);

	if (mask & 1U << 7)
		buttons |= VGPU_VIEWER_BUTTON_BACK;
	if (mask & 1U << 8)
		buttons |= VGPU_VIEWER_BUTTON_FORWARD;
	return buttons;
}

static void send_pointer(struct vgpu_vnc_input *input)
{
	input->is_pointer_new = !send_msg(input, &input->pointer);
	if (input->is_pointer_new)
		return;
	input->pointer_ns = now_ns();
	input->pointer.wheel_up = 0;
	input->pointer.wheel_right = 0;
}

void vgpu_vnc_input_point(struct vgpu_vnc_input *input,
			  struct vgpu_vnc_hands *hands, uint32_t mask,
			  int32_t x, int32_t y)
{
	struct vgpu_viewer_msg *msg = &input->pointer;
	uint32_t pressed = mask & WHEEL_MASK & ~hands->wheel;
	uint32_t buttons = buttons_of(mask);
	bool is_move = buttons == msg->buttons && !pressed;

	hands->wheel = mask & WHEEL_MASK;
	hands->buttons = buttons;
	msg->type = VGPU_VIEWER_POINTER;
	msg->x = x;
	msg->y = y;
	/* The last client that points has the pointer. */
	msg->buttons = buttons;
	msg->wheel_up += !!(pressed & WHEEL_UP) - !!(pressed & WHEEL_DOWN);
	msg->wheel_right += !!(pressed & WHEEL_RIGHT) - !!(pressed & WHEEL_LEFT);
	input->is_pointer_new = true;
	if (!is_move || now_ns() - input->pointer_ns >= MOVE_NS)
		send_pointer(input);
}

bool vgpu_vnc_input_mode(struct vgpu_vnc_input *input, uint32_t width,
			 uint32_t height)
{
	const struct vgpu_viewer_msg msg = {
		.type = VGPU_VIEWER_MODE,
		.width = width,
		.height = height,
	};
	uint64_t now = now_ns();

	if (now - input->mode_ns < MODE_NS || !send_msg(input, &msg))
		return false;
	input->mode_ns = now;
	return true;
}

void vgpu_vnc_input_leave(struct vgpu_vnc_input *input,
			  struct vgpu_vnc_hands *hands)
{
	for (uint32_t code = 0; code < VGPU_VNC_KEY_CODES; code++)
		hold_key(input, hands, code, false);
	if (hands->buttons && input->pointer.buttons == hands->buttons) {
		input->pointer.buttons = 0;
		send_pointer(input);
	}
	hands->buttons = 0;
}

int vgpu_vnc_input_flush(struct vgpu_vnc_input *input)
{
	uint64_t since;

	if (input->is_late) {
		input->is_late = false;
		for (uint32_t code = 0; code < VGPU_VNC_KEY_CODES; code++)
			if (is_set(input->told, code) && !input->holders[code])
				tell_key(input, code, false);
	}
	if (input->is_pointer_new) {
		since = now_ns() - input->pointer_ns;
		if (since < MOVE_NS)
			return (int)((MOVE_NS - since) / NSEC_PER_MSEC) + 1;
		send_pointer(input);
	}
	return input->socket >= 0 && (input->is_late || input->is_pointer_new)
		       ? LATE_MS
		       : -1;
}
