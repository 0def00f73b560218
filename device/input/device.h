/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtio-input device (virtio 1.3, 5.8) with a vhost-user front end. */
#ifndef VGPU_DEVICE_INPUT_DEVICE_H
#define VGPU_DEVICE_INPUT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/slots.h"
#include "lib/control_abi.h"
#include "lib/err.h"

struct vgpu_input_device;

/* The guest or the front end broke a rule; @text says which. */
typedef void vgpu_input_fault(void *opaque, const char *text);

/*
 * A device on the fds of @slots, a view that is the device's own; it stays the
 * caller's and outlives it. Goes on from the state block in there.
 */
int vgpu_input_device_create(sd_event *event, struct vgpu_slots *slots,
			     enum vgpu_input kind, vgpu_input_fault *fault,
			     void *opaque, struct vgpu_input_device **ret_device,
			     struct vgpu_err *err);
void vgpu_input_device_destroy(struct vgpu_input_device *device); /* or NULL */

/*
 * What follows reaches the guest, if its driver runs and listens; else it is
 * dropped, but for the release of what is down. @code must be one that the
 * device has, or nothing happens.
 */
void vgpu_input_device_press(struct vgpu_input_device *device, uint32_t code);
void vgpu_input_device_release(struct vgpu_input_device *device, uint32_t code);
void vgpu_input_device_release_all(struct vgpu_input_device *device);
void vgpu_input_device_move(struct vgpu_input_device *device, uint32_t x,
			    uint32_t y);
/* Steps up and to the right are positive. */
void vgpu_input_device_turn(struct vgpu_input_device *device, int32_t up,
			    int32_t right);

#endif
