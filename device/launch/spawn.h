/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vgpu-launch of a device process that no vgpud started. */
#ifndef VGPU_DEVICE_LAUNCH_SPAWN_H
#define VGPU_DEVICE_LAUNCH_SPAWN_H

#include "lib/err.h"

/* Start one. *ret_fd is the socket to it, on whose close it ends. */
int vgpu_launch_spawn(int *ret_fd, struct vgpu_err *err);

#endif
