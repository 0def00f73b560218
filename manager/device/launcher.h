/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vgpu-launch of each vGPU, which starts its render processes. */
#ifndef VGPU_MANAGER_DEVICE_LAUNCHER_H
#define VGPU_MANAGER_DEVICE_LAUNCHER_H

#include <systemd/sd-event.h>

#include "fd_store.h"
#include "lib/err.h"

/*
 * See that @store has the socket of one that runs: it outlives the device
 * process, and ends when nobody holds that socket any more. It begins in the
 * control group @group (-1: in vgpud's).
 */
int vgpu_launcher_have(sd_event *event, struct vgpu_fd_store *store, int group,
		       struct vgpu_err *err);

/* SIGKILL. False: an earlier vgpud started it, of which none was kept. */
bool vgpu_launcher_kill(const struct vgpu_fd_store *store);

#endif
