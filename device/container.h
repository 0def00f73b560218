/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vGPU for programs on the host, such as those in containers: no VM. */
#ifndef VGPU_DEVICE_CONTAINER_H
#define VGPU_DEVICE_CONTAINER_H

#include <systemd/sd-event.h>

#include "device/device.h"

struct vgpu_container;

/*
 * Serve vtest clients on the socket in VGPU_SLOT_LISTEN. Its framebuffer is the
 * segments in @slots, or memory of its own if there are none. @slots stay the
 * caller's. @config->sandbox is not used.
 */
int vgpu_container_create(sd_event *event, struct vgpu_slots *slots,
			  const struct vgpu_device_config *config,
			  struct vgpu_container **ret_container,
			  struct vgpu_err *err);
void vgpu_container_destroy(struct vgpu_container *container); /* NULL is fine */

/*
 * The process is confined as @sandbox says: tell the manager at @control that
 * it serves. Takes ownership of @control; -1: there is no manager.
 */
int vgpu_container_serve(struct vgpu_container *container, int control,
			 const struct vgpu_sandbox_report *sandbox,
			 struct vgpu_err *err);

#endif
