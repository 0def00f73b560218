/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The embedded software GPU: framebuffer from a pool. */
#ifndef VGPU_MANAGER_GPU_MEDIATED_EMBEDDED_H
#define VGPU_MANAGER_GPU_MEDIATED_EMBEDDED_H

#include <systemd/sd-event.h>

#include "manager/config.h"
#include "manager/gpu/gpu.h"
#include "pool.h"

/* Give @gpu a framebuffer as @config says, and the ops. */
int vgpu_embedded_init(struct vgpu_gpu *gpu, sd_event *event,
		       const struct vgpu_config *config,
		       vgpu_pool_progress_t progress, void *userdata);

#endif
