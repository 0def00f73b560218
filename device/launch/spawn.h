/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a vgpu-launch for a device process that runs without vgpud. */
#ifndef VGPU_DEVICE_LAUNCH_SPAWN_H
#define VGPU_DEVICE_LAUNCH_SPAWN_H

#include "lib/err.h"

/* Start one. *ret_fd is the socket to it; it exits when that is closed. */
int vgpu_launch_spawn(int *ret_fd, struct vgpu_err *err);

#endif
