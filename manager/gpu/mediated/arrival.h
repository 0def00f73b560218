/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs that come while vgpud runs, and those that had been of no use. */
#ifndef VGPU_MANAGER_GPU_MEDIATED_ARRIVAL_H
#define VGPU_MANAGER_GPU_MEDIATED_ARRIVAL_H

struct vgpu_inventory;
struct vgpu_manager;

/*
 * Take into the inventory what is in @found and can make vGPUs now. vGPUs that
 * wait for such a GPU start.
 */
void vgpu_gpu_arrival_take(struct vgpu_manager *manager,
			   const struct vgpu_inventory *found);

#endif
