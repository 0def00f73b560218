/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening control socket: lets in a manager that sends the key. */
#ifndef VGPU_DEVICE_DOOR_H
#define VGPU_DEVICE_DOOR_H

#include <stdint.h>

#include <systemd/sd-event.h>

#include "lib/control_abi.h"

struct vgpu_door;

struct vgpu_door_ops {
	/*
	 * The peer sent the key. @socket is nonblocking, and the callee's from
	 * now on; @serial is that of its ADOPT.
	 */
	void (*admitted)(void *opaque, int socket, uint32_t serial);
	/* Process @pid, 0 if unknown, was sent away. */
	void (*refused)(void *opaque, int32_t pid);
};

/*
 * Admit whoever connects to @listening, which stays the caller's, and sends
 * ADOPT with @key. Neither callback may destroy the door.
 */
int vgpu_door_create(sd_event *event, int listening,
		     const uint8_t key[VGPU_CONTROL_KEY_BYTES],
		     const struct vgpu_door_ops *ops, void *opaque,
		     struct vgpu_door **ret_door);
void vgpu_door_destroy(struct vgpu_door *door); /* NULL is fine */

#endif
