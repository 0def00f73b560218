/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framebuffer is filled with zeros, so that nobody reads another's. */
#ifndef VGPU_KERNEL_CORE_RM_SCRUB_H
#define VGPU_KERNEL_CORE_RM_SCRUB_H

#include "channel.h"
#include "events.h"

struct vgpu_scrubber {
	struct vgpu_core *core;
	/* Protects the channel: one scrub at a time. After gsp_lock. */
	struct mutex lock;
	struct vgpu_channel channel; /* made when it is first needed */
	u32 sequence;		     /* of the semaphore's values */
	struct vgpu_event_subscriber rc_error;
};

int vgpu_scrubber_create(struct vgpu_core *core);
void vgpu_scrubber_destroy(struct vgpu_core *core);

/* Before the firmware is unloaded, and when the GPU has stopped. */
void vgpu_scrubber_stop(struct vgpu_gsp *gsp);
void vgpu_scrubber_finish(struct vgpu_core *core);

#endif
