/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the PF's driver calls of the vGPU manager. */
#ifndef VGPU_KERNEL_MGR_MANAGER_H
#define VGPU_KERNEL_MGR_MANAGER_H

#include <linux/types.h>

struct vgpu_core;

/* The GPU is up for the first time: have a manager, and its files in sysfs. */
int vgpu_mgr_create(struct vgpu_core *core);
/*
 * The GPU is let go for good; whoever has a VF open is told. True: somebody has
 * one open still.
 */
bool vgpu_mgr_destroy(struct vgpu_core *core);

/* The firmware has booted (again), or is about to stop: no VF may be open. */
int vgpu_mgr_start(struct vgpu_core *core);
void vgpu_mgr_stop(struct vgpu_core *core, const char *why);

/* VFs: before they are disabled (-EBUSY: one is open), and after they changed. */
int vgpu_mgr_prepare_vfs(struct vgpu_core *core);
void vgpu_mgr_vfs_changed(struct vgpu_core *core);

#endif
