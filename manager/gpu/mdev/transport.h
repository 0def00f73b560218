/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs with a device process as VFIO devices of the kernel module vgpu_mdev. */
#ifndef VGPU_MANAGER_GPU_MDEV_TRANSPORT_H
#define VGPU_MANAGER_GPU_MDEV_TRANSPORT_H

#include "manager/vgpu/transport.h"

extern const struct vgpu_transport_ops vgpu_mdev_transport;

/* Remove a device of the module's that no vGPU is; fails if it is in use. */
int vgpu_mdev_take_away(struct vgpu_manager *manager, const char *uuid,
			struct vgpu_err *err);

#endif
