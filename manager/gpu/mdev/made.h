/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs that are made as mediated devices of vgpud's types, by mdevctl or libvirt. */
#ifndef VGPU_MANAGER_GPU_MDEV_MADE_H
#define VGPU_MANAGER_GPU_MDEV_MADE_H

#include "manager/vgpu/context.h"

/* Have the module know the types, and how many more of each there can be. */
void vgpu_mdev_made_tell(struct vgpu_manager *manager);
/* The same, and look for devices that came or went. */
void vgpu_mdev_made_refresh(struct vgpu_manager *manager);
void vgpu_mdev_made_finish(struct vgpu_manager *manager);

#endif
