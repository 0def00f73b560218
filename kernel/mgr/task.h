/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware's task that serves one vGPU. */
#ifndef VGPU_KERNEL_MGR_TASK_H
#define VGPU_KERNEL_MGR_TASK_H

#include "kernel/core/resources.h"

struct vgpu_vf;

struct vgpu_task {
	struct vgpu_fb_window window; /* to its heap's areas */
	u32 sequence;
	bool is_booted; /* to be shut down */
	s64 waited_us; /* for the GPU and its firmware, since it was begun with */
};

/* Show its heap, boot it, and wait until it is there. */
int vgpu_task_boot(struct vgpu_vf *vf);
/* Agree on a version, and tell it what it is. */
int vgpu_task_configure(struct vgpu_vf *vf);
/* Shut it down and clean up after it; nothing is asked of a wedged GSP. */
void vgpu_task_end(struct vgpu_vf *vf);

/* -EREMOTEIO: it refused; others of waiting: -ETIMEDOUT, -EIO, -EINTR. */
int vgpu_task_reset(struct vgpu_vf *vf);
int vgpu_task_set_bus_master(struct vgpu_vf *vf, bool is_on);

#endif
