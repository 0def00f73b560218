/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the PF's driver calls of the vGPU manager. */
#ifndef VGPU_KERNEL_MGR_MANAGER_H
#define VGPU_KERNEL_MGR_MANAGER_H

#include <linux/types.h>

struct vgpu_pf;

/* The GPU is up for the first time: have a manager, and its files in sysfs. */
int vgpu_mgr_create(struct vgpu_pf *pf);
/*
 * The GPU is let go for good; whoever has a VF open is told. True: somebody has
 * one open still.
 */
bool vgpu_mgr_destroy(struct vgpu_pf *pf);

/* The firmware has booted (again), or is about to stop: no VF may be open. */
int vgpu_mgr_start(struct vgpu_pf *pf);
void vgpu_mgr_stop(struct vgpu_pf *pf, const char *why);

/* VFs: before they are disabled (-EBUSY: one is open), and after they changed. */
int vgpu_mgr_prepare_vfs(struct vgpu_pf *pf);
void vgpu_mgr_vfs_changed(struct vgpu_pf *pf);

#endif
