/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the input devices share. */
#ifndef VGPU_DEVICE_INPUT_INTERNAL_H
#define VGPU_DEVICE_INPUT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "device/input/state_abi.h"
#include "device/virtio/model.h"
#include "lib/control_abi.h"

/*
 * Whether a device of this kind may send a key or button of this code.
 * (describe.c)
 */
bool vgpu_input_has_code(enum vgpu_input kind, uint32_t code);
/*
 * Fill in struct virtio_input_config for what the guest has selected: what the
 * device is and has. (describe.c)
 */
void vgpu_input_describe(enum vgpu_input kind, uint8_t select, uint8_t subsel,
			 uint8_t space[VGPU_MODEL_CONFIG_MAX]);

/*
 * events.c: the events that the guest has not fetched yet.
 *
 * There is always room for the release of each code that is down: a guest
 * that does not listen misses presses, and never a release.
 */

/* What a successor must not trust is put right. */
void vgpu_input_events_check(struct vgpu_input_state *state);
/* As new: no events, nothing is down. */
void vgpu_input_events_reset(struct vgpu_input_state *state);
bool vgpu_input_is_down(const struct vgpu_input_state *state, uint32_t code);
/* A key or button, with what ends its report; false: there is no room. */
bool vgpu_input_press(struct vgpu_input_state *state, uint32_t code);
void vgpu_input_release(struct vgpu_input_state *state, uint32_t code);
/*
 * The pointer is here now: replaces a position that is the last event and was
 * not fetched. False: there is no room.
 */
bool vgpu_input_move(struct vgpu_input_state *state, uint32_t x, uint32_t y);
/* Steps of a wheel, REL_WHEEL or REL_HWHEEL. False: there is no room. */
bool vgpu_input_turn(struct vgpu_input_state *state, uint32_t code,
		     int32_t steps);
/* Whether there is one to fetch. */
bool vgpu_input_has_event(const struct vgpu_input_state *state);
/*
 * The next event goes to the request with @token. A retry of that request gets
 * the same one again.
 */
struct vgpu_input_event vgpu_input_fetch(struct vgpu_input_state *state,
					 uint64_t *token);

#endif
