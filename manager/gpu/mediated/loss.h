/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GPUs that their drivers have lost: each is asked again whether it works, and
 * makes no vGPU until it says so. Those that are there stay.
 */
#ifndef VGPU_MANAGER_GPU_MEDIATED_LOSS_H
#define VGPU_MANAGER_GPU_MEDIATED_LOSS_H

struct vgpu_gpu;
struct vgpu_gpu_loss;
struct vgpu_manager;

int vgpu_gpu_loss_create(struct vgpu_manager *manager,
			 struct vgpu_gpu_loss **ret_loss);
void vgpu_gpu_loss_destroy(struct vgpu_gpu_loss *loss); /* NULL is fine */

/* A device says that contexts on @gpu were lost by its driver. */
void vgpu_gpu_loss_note(struct vgpu_gpu_loss *loss, struct vgpu_gpu *gpu);

/*
 * GPUs may have come or gone: ask at once. What is not there any more is lost,
 * and for those that are new see arrival.h.
 */
void vgpu_gpu_loss_look(struct vgpu_gpu_loss *loss);

#endif
