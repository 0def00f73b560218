/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs with memory of their own, by their Vulkan drivers. */
#ifndef VGPU_MANAGER_GPU_MEDIATED_HARDWARE_H
#define VGPU_MANAGER_GPU_MEDIATED_HARDWARE_H

#include "manager/gpu/gpu.h"

/* Whether vgpu_hardware_init() can be called: nobody else makes its vGPUs. */
bool vgpu_hardware_can_be(const struct vgpu_gpu *gpu);
/*
 * vGPUs can be on @gpu, which has a way to import memory. The framebuffer of
 * each is a limit that its device keeps, and nothing is reserved on the GPU: an
 * eighth of it stays the host's.
 */
void vgpu_hardware_init(struct vgpu_gpu *gpu);

#endif
