/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret by which a vGPU's device knows the next vgpud. */
#ifndef VGPU_MANAGER_DEVICE_KEY_H
#define VGPU_MANAGER_DEVICE_KEY_H

#include "lib/control_abi.h"
#include "manager/host/paths.h"

/* -ENOENT if the vGPU has none: its device is of an earlier version. */
int vgpu_key_read(const struct vgpu_paths *paths, const char *uuid,
		  uint8_t ret_key[VGPU_CONTROL_KEY_BYTES]);
/* Read it, or make one that nobody knows. */
int vgpu_key_have(const struct vgpu_paths *paths, const char *uuid,
		  uint8_t ret_key[VGPU_CONTROL_KEY_BYTES]);

#endif
