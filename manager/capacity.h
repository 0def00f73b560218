/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a GPU's framebuffer is free, and what still fits into it. */
#ifndef VGPU_MANAGER_CAPACITY_H
#define VGPU_MANAGER_CAPACITY_H

#include "gpu.h"
#include "lib/err.h"
#include "lib/type.h"
#include "manager.h"

/* Bytes that no vGPU has and that can be had. */
uint64_t vgpu_capacity_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu);
/* How many more vGPUs of @type fit now. */
uint64_t vgpu_capacity_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			     const struct vgpu_type *type);
/* A place for @size bytes; err "NoRoom" says what is free and what fits. */
int vgpu_capacity_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			const struct vgpu_type *type,
			struct vgpu_extent *ret_place, struct vgpu_err *err);
/* True if no vGPU on @gpu has any of @place. */
bool vgpu_capacity_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			   const struct vgpu_extent *place);
unsigned int vgpu_capacity_vgpus(struct vgpu_manager *manager,
				 const struct vgpu_gpu *gpu);

#endif
