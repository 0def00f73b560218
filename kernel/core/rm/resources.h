/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vGPUs share of the GPU: framebuffer, channel ids, windows of BAR1. */
#ifndef VGPU_KERNEL_CORE_RM_RESOURCES_H
#define VGPU_KERNEL_CORE_RM_RESOURCES_H

#include <linux/mutex.h>

#include "kernel/core/hw/bar1_map.h"
#include "kernel/core/pure/chid.h"
#include "kernel/core/pure/fb.h"

/*
 * Made when the GPU boots first, and kept until the driver is unbound: whoever
 * has something of it still has it after a reset or a sleep, though the bytes
 * may be gone; and what is quarantined stays so.
 */
struct vgpu_resources {
	struct vgpu_hw *hw;
	/* Protects the allocators. Nothing is asked of the GSP under it. */
	struct mutex lock;
	bool is_made;
	struct vgpu_fb fb; /* in units of VMMU segments */
	struct vgpu_chids chids;
	struct vgpu_bar1_map bar1;

	u64 channel_offset; /* the core driver's channel, in the framebuffer */
	u64 host_bytes;	    /* of the framebuffer, which no vGPU gets */
};

void vgpu_resources_init(struct vgpu_resources *r, struct vgpu_hw *hw);
void vgpu_resources_finish(struct vgpu_resources *r);

/*
 * After each boot, with what its firmware says. -EBADMSG: not what it said
 * after the first one.
 */
int vgpu_resources_start(struct vgpu_resources *r,
			 const struct vgpu_static_info *info,
			 u64 vmmu_segment_bytes);

#endif
