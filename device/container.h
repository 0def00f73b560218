/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One device for programs without a VM, in containers say. */
#ifndef VGPU_DEVICE_CONTAINER_H
#define VGPU_DEVICE_CONTAINER_H

#include <systemd/sd-event.h>

#include "device/device.h"

struct vgpu_container;

/*
 * A device that serves vtest clients at VGPU_SLOT_LISTEN of @slots, which stay
 * the caller's, with their segments as its framebuffer, or none and memory of
 * its own. @config's sandbox is not looked at yet.
 */
int vgpu_container_create(sd_event *event, struct vgpu_slots *slots,
			  const struct vgpu_device_config *config,
			  struct vgpu_container **ret_container,
			  struct vgpu_err *err);
void vgpu_container_destroy(struct vgpu_container *container); /* NULL is fine */

/*
 * It is shut in as @sandbox says: tell the manager at @control, which is taken
 * over, that it serves. -1: there is none.
 */
int vgpu_container_serve(struct vgpu_container *container, int control,
			 const struct vgpu_sandbox_report *sandbox,
			 struct vgpu_err *err);

#endif
