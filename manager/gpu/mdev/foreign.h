/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs whose own driver makes mediated devices: Intel's GVT-g, NVIDIA's vGPU. */
#ifndef VGPU_MANAGER_GPU_MDEV_FOREIGN_H
#define VGPU_MANAGER_GPU_MDEV_FOREIGN_H

struct vgpu_manager;

/*
 * Find such GPUs that came, and put them into the inventory. What went stays
 * there, and says so.
 */
void vgpu_mdev_scan(struct vgpu_manager *manager);

#endif
