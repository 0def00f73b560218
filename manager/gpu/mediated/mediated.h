/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs with a device process each: what fits where in a GPU's framebuffer. */
#ifndef VGPU_MANAGER_GPU_MEDIATED_MEDIATED_H
#define VGPU_MANAGER_GPU_MEDIATED_MEDIATED_H

#include "manager/gpu/gpu.h"

/* Of a GPU whose field memory is set. */
extern const struct vgpu_provider_ops vgpu_mediated_ops;

#endif
