/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the time of a GPU with device processes is shared between its vGPUs. */
#ifndef VGPU_MANAGER_VGPU_SCHEDULER_H
#define VGPU_MANAGER_VGPU_SCHEDULER_H

#include "instance.h"

/* What was set for each GPU, by an earlier vgpud or in the configuration. */
void vgpu_scheduler_load(struct vgpu_manager *manager);

/*
 * Change it for a GPU, for good and at once, as user @uid asks. @time_slice_ms
 * 0: as it is.
 */
int vgpu_scheduler_set(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		       const struct vgpu_scheduling *scheduling, int64_t uid,
		       struct vgpu_err *err);
/*
 * Whether @definition may have its weight on @gpu, besides the others there:
 * with fixed shares they may not add up to more than the GPU. err "NoRoom".
 */
int vgpu_scheduler_check(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			 const struct vgpu_scheduling *scheduling,
			 const struct vgpu_definition *definition,
			 struct vgpu_err *err);

/* What the kernel is to be told of it. */
void vgpu_scheduler_cpu(const struct vgpu_instance *instance,
			struct vgpu_cpu_share *ret_share);
/* The same of a hardware GPU's time, which its render processes keep. */
void vgpu_scheduler_time(const struct vgpu_instance *instance,
			 struct vgpu_control_time *ret_time);
/* Its share of the GPU if all active vGPUs have work, in millionths. */
uint32_t vgpu_scheduler_granted(const struct vgpu_instance *instance);
/* The number of serving vGPUs on it has changed: equal shares change, too. */
void vgpu_scheduler_divide(struct vgpu_manager *manager,
			   const struct vgpu_gpu *gpu);

#endif
