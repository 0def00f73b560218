/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_nouveau, as its files share it. */
#ifndef VGPU_KERNEL_NOUVEAU_ADAPTER_ADAPTER_H
#define VGPU_KERNEL_NOUVEAU_ADAPTER_ADAPTER_H

#include "kernel/core/core_ops.h"
#include "kernel/core/rm/events.h"
#include "kernel/nouveau/nouveau_vgpu.h"

struct adapter_recovery;

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

	atomic_t uses;	/* vGPUs that are open */
	bool is_closed; /* no more vGPUs are opened */
	struct adapter_recovery *recovery;
};

/* ops.c: what the manager calls; each PF refers to it. */
extern const struct vgpu_core_ops adapter_pf_ops;

/* recovery.c: nouveau has the GPU, or has it no more. The first: -ENOMEM. */
int adapter_recovery_attach(struct nouveau_pf *npf);
void adapter_recovery_detach(struct nouveau_pf *npf);
/* Its firmware is out of order: it is reset soon. Any context. */
void adapter_recovery_schedule(struct adapter_recovery *recovery);
/* Once no GPU is attached, nor will be: nothing is reset any more. */
void adapter_recovery_finish(void);

#endif
