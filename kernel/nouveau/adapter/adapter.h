/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_nouveau, as its files share it. */
#ifndef VGPU_KERNEL_NOUVEAU_ADAPTER_ADAPTER_H
#define VGPU_KERNEL_NOUVEAU_ADAPTER_ADAPTER_H

#include "kernel/core/core_ops.h"
#include "kernel/core/rm/events.h"
#include "kernel/nouveau/nouveau_vgpu.h"

struct vgpu_dir;

/* A PF that nouveau drives, with a vGPU manager. */
struct nouveau_pf {
	struct vgpu_pf pf;
	struct nouveau_vgpu *gpu;
	struct vgpu_events events;
	struct vgpu_static_info info;
	struct nouveau_vgpu_host host;

	struct mutex lock; /* protects the next two */
	struct vgpu_fb fb;
	struct vgpu_chids chids;

	struct vgpu_dir *dir;
	struct dentry *debugfs;
	const char *why_wedged; /* a static text; NULL: it does not answer */
	bool is_closed;		/* no more vGPUs are opened */
};

/* ops.c: what the manager calls; each PF refers to it. */
extern const struct vgpu_core_ops adapter_pf_ops;

/* sysfs.c: the folder vgpu/ of the PF. */
int adapter_add_files(struct nouveau_pf *npf);
void adapter_remove_files(struct nouveau_pf *npf);

#endif
