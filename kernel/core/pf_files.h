/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that each PF has in sysfs, whichever driver it has. */
#ifndef VGPU_KERNEL_CORE_PF_FILES_H
#define VGPU_KERNEL_CORE_PF_FILES_H

#include "kernel/core/core_ops.h"

struct attribute_group;

/* What sysfs shows of it from now on, by what the firmware said first. */
void vgpu_pf_set_info(struct vgpu_pf *pf, const struct vgpu_static_info *info);

/*
 * The folder vgpu/ of the PF (docs/dev/abi/sysfs-vgpu-core), as @pf->dir, whose
 * owner is @pf; @more are a driver's own files, or NULL. All that is shown is set.
 */
int vgpu_pf_add_dir(struct vgpu_pf *pf, const struct attribute_group *more);
/* Idempotent. */
void vgpu_pf_remove_dir(struct vgpu_pf *pf);

#endif
