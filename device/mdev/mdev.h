/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other transport: a VFIO mediated device of kernel/mdev, whose registers,
 * interrupts and window the kernel has, and whose queues are served here.
 */
#ifndef VGPU_DEVICE_MDEV_MDEV_H
#define VGPU_DEVICE_MDEV_MDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/slots.h"
#include "device/state_abi.h"
#include "device/virtio/device.h"
#include "lib/err.h"

struct vgpu_mdev;

/* What it tells its owner. All are required. */
struct vgpu_mdev_ops {
	/* The guest broke a rule; @text says which. */
	void (*fault)(void *opaque, const char *text);
	/* A VMM opened the device, or closed it. */
	void (*link_changed)(void *opaque);
	void (*status_changed)(void *opaque);
	/* The device was removed: there is nothing left to serve. */
	void (*removed)(void *opaque);
};

struct vgpu_mdev_config {
	struct vgpu_virtio_config virtio;
	/* Size of the host-visible window; 0 for none. A power of two. */
	uint64_t host_visible_bytes;
};

/*
 * Serve the device whose file is in VGPU_SLOT_MDEV. If @state is a
 * predecessor's and the device was not reset since, go on where that one was.
 * @state and @slots stay the caller's and outlive it.
 */
int vgpu_mdev_create(sd_event *event, struct vgpu_state *state,
		     struct vgpu_slots *slots,
		     const struct vgpu_mdev_config *config,
		     const struct vgpu_mdev_ops *ops, void *opaque,
		     struct vgpu_mdev **ret_mdev, struct vgpu_err *err);
void vgpu_mdev_destroy(struct vgpu_mdev *mdev); /* NULL is fine */

/* Whether a VMM has the device open, and its process id, 0 if unknown. */
bool vgpu_mdev_is_attached(const struct vgpu_mdev *mdev);
int32_t vgpu_mdev_peer_pid(const struct vgpu_mdev *mdev);

struct vgpu_gpu *vgpu_mdev_gpu(struct vgpu_mdev *mdev);

#endif
