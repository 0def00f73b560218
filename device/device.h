/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One device: the parts of vgpu-device put together. */
#ifndef VGPU_DEVICE_DEVICE_H
#define VGPU_DEVICE_DEVICE_H

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
	struct vgpu_sandbox_report sandbox; /* this process's own */
};

/*
 * A device with @slots' fds, which stay the caller's. @control is the socket
 * of its manager, which is taken over, or -1. It serves when this returns.
 */
int vgpu_device_create(sd_event *event, struct vgpu_slots *slots,
		       const struct vgpu_device_config *config, int control,
		       struct vgpu_device **ret_device, struct vgpu_err *err);
void vgpu_device_destroy(struct vgpu_device *device); /* NULL is fine */

/* End when the front end that it has lets go, or now if it has none. */
void vgpu_device_end_with_front_end(struct vgpu_device *device);
/* Serve @fd, a connected front end that is taken over, and then end. */
int vgpu_device_serve_one(struct vgpu_device *device, int fd);

#endif
