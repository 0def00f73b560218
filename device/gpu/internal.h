/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of device/gpu itself share. */
#ifndef VGPU_DEVICE_GPU_INTERNAL_H
#define VGPU_DEVICE_GPU_INTERNAL_H

#include "device/gpu/core/request.h"

/* resource.c */
vgpu_gpu_handler vgpu_gpu_resource_unref, vgpu_gpu_resource_assign_uuid;

/* capset.c */
vgpu_gpu_handler vgpu_gpu_get_capset_info, vgpu_gpu_get_capset;
uint32_t vgpu_gpu_count_capsets(const struct vgpu_gpu *gpu);

/* resume.c */
/*
 * Rebuild what is private from the state, and drop what is inconsistent in it.
 */
int vgpu_gpu_resume(struct vgpu_gpu *gpu);

#endif
