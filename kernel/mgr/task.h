/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware's task that serves one vGPU. */
#ifndef VGPU_KERNEL_MGR_TASK_H
#define VGPU_KERNEL_MGR_TASK_H

#include "kernel/core/abi/task_abi.h"
#include "kernel/core/core_ops.h"

struct vgpu_vf;

enum vgpu_task_stream {
	VGPU_TASK_NO_STREAM,
	VGPU_TASK_SAVES,
	VGPU_TASK_RESTORES,
};

struct vgpu_task {
	struct vgpu_fb_window window; /* to its heap's areas */
	u32 sequence;
	bool is_booted;	   /* or may be: to be ended */
	bool is_shut_down; /* to be cleaned up after */
	/*
	 * It missed an answer: it is not spoken to again, as it may still read,
	 * or write over, what it was told last. Its vGPU is lost.
	 */
	bool is_dead;
	enum vgpu_task_stream stream;
	u32 stream_offset;	/* ours, in its ring */
	bool has_been_restored; /* since it was stopped */
	s64 waited_us; /* for the GPU and its firmware, since it was begun with */
};

/* Show its heap, boot it, and wait until it is there. */
int vgpu_task_boot(struct vgpu_vf *vf);
/* Agree on a version, and tell it what it is. */
int vgpu_task_configure(struct vgpu_vf *vf);
/*
 * Shut it down and clean up after it; nothing is asked of a wedged GSP. An
 * error: it may still run, and use all that it was booted with.
 */
int vgpu_task_end(struct vgpu_vf *vf);

/* -EREMOTEIO: it refused; others of waiting: -ETIMEDOUT, -EIO, -EINTR. */
int vgpu_task_reset(struct vgpu_vf *vf);
int vgpu_task_set_bus_master(struct vgpu_vf *vf, bool is_on);

/* A message of migrating, which carries nothing; errors are as above. */
int vgpu_task_tell(struct vgpu_vf *vf, enum vgpu_task_message type);
/* An area of its heap, as the manager sees it. */
void __iomem *vgpu_task_area(struct vgpu_vf *vf,
			     const struct vgpu_task_area *area);
/* migrate.c: what is in the ring is not wanted any more. */
void vgpu_task_end_stream(struct vgpu_vf *vf);
/* Why it will not answer any more; 0: it may. */
int vgpu_task_check(struct vgpu_vf *vf);

#endif
