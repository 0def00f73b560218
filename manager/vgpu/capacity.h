/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a GPU's framebuffer is free, and what still fits into it. */
#ifndef VGPU_MANAGER_VGPU_CAPACITY_H
#define VGPU_MANAGER_VGPU_CAPACITY_H

#include "manager/gpu/gpu.h"
#include "lib/err.h"
#include "lib/type.h"
#include "context.h"
#include "store.h"

/* The types that @gpu can have; none where it never can have vGPUs. */
size_t vgpu_capacity_type_count(struct vgpu_manager *manager,
				struct vgpu_gpu *gpu);
/* By name, or by the number that its driver has for it; NULL: none. */
const struct vgpu_type *vgpu_capacity_find_type(struct vgpu_manager *manager,
						struct vgpu_gpu *gpu,
						const char *name);

/* Bytes that no vGPU has and that can be had. */
uint64_t vgpu_capacity_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu);
/* How many more vGPUs of @type fit now. */
uint64_t vgpu_capacity_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			     const struct vgpu_type *type);
/* The types that fit, as " 1Q 2B", "" if none does; cut where it is full. */
void vgpu_capacity_list_fitting(struct vgpu_manager *manager,
				struct vgpu_gpu *gpu, char *ret, size_t size);
/*
 * Find a place for @definition on @gpu, and put it there; on failure it is
 * unchanged. err "NoRoom" says what is free and what fits.
 */
int vgpu_capacity_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			struct vgpu_definition *definition, struct vgpu_err *err);
/*
 * True if the place in @definition does not overlap that of any vGPU on @gpu.
 */
bool vgpu_capacity_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			   const struct vgpu_definition *definition);
unsigned int vgpu_capacity_vgpus(struct vgpu_manager *manager,
				 const struct vgpu_gpu *gpu);

#endif
