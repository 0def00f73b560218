/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device process without a vGPU, for a VMM whose vGPU was taken away. */
#ifndef VGPU_MANAGER_DEVICE_RETIRE_H
#define VGPU_MANAGER_DEVICE_RETIRE_H

#include <systemd/sd-event.h>

#include "fd_store.h"
#include "lib/err.h"

/*
 * Stock QEMU aborts if its connection is gone when a guest's driver begins. If
 * @store has one, start a last device process with it, which has no framebuffer
 * and no renderer, is @start's but for that, and is nobody's: it ends when the
 * VMM does. Nothing of the vGPU's own stays with it.
 */
int vgpu_retire(sd_event *event, const struct vgpu_fd_store *store,
		const struct vgpu_control_start *start, struct vgpu_err *err);

#endif
