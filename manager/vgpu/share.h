/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of a vGPU's control group: processor, memory, tasks. */
#ifndef VGPU_MANAGER_VGPU_SHARE_H
#define VGPU_MANAGER_VGPU_SHARE_H

#include "instance.h"

/*
 * Create its group with its limits, before a process of the vGPU is started. If
 * that fails the vGPU runs without one, and an event says so.
 */
void vgpu_share_begin(struct vgpu_instance *instance);
/* The same for a vGPU whose device runs already: it is in the group then. */
void vgpu_share_adopt(struct vgpu_instance *instance);

/* Its weight or its GPU's scheduler has changed. */
void vgpu_share_update(struct vgpu_instance *instance);

/*
 * Its device has ended: remove the group. @done is called once nobody is left
 * in it, at once or later; who does not end in a second is killed.
 */
void vgpu_share_end(struct vgpu_instance *instance,
		    void (*done)(struct vgpu_instance *instance));
/* What memory.max is for it. */
uint64_t vgpu_share_memory_max(const struct vgpu_instance *instance);
/* Let go of it; the group stays. */
void vgpu_share_finish(struct vgpu_instance *instance);

#endif
