/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vGPU for a virtual machine: connects the parts of vgpu-device. */
#ifndef VGPU_DEVICE_DEVICE_H
#define VGPU_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/slots.h"
#include "lib/control_abi.h"
#include "sandbox/report.h"
#include "lib/err.h"

struct vgpu_device;

struct vgpu_device_config {
	struct vgpu_control_start start;
	const void *capset; /* venus', VGPU_GPU_CAPSET_BYTES; outlives it */
	int udmabuf;	    /* see struct vgpu_render_config; outlives it */
	bool has_gfxstream; /* guests get that wire besides venus' */
	struct vgpu_sandbox_report sandbox; /* this process's own */
};

/*
 * Create a device from the fds in @slots, which stay the caller's. Takes
 * ownership of @control, the socket of its manager, or -1. It serves when this
 * returns.
 */
int vgpu_device_create(sd_event *event, struct vgpu_slots *slots,
		       const struct vgpu_device_config *config, int control,
		       struct vgpu_device **ret_device, struct vgpu_err *err);
void vgpu_device_destroy(struct vgpu_device *device); /* NULL is fine */

/*
 * Exit the event loop when the front end disconnects; at once if there is none.
 */
void vgpu_device_end_with_front_end(struct vgpu_device *device);
/*
 * Serve only @fd, a connected front end of which this takes ownership, then
 * exit the event loop.
 */
int vgpu_device_serve_one(struct vgpu_device *device, int fd);

#endif
