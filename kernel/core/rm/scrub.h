/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framebuffer is filled with zeros, so that nobody reads another's; and what is
 * to be moved from it, or to it, is copied by the same engine.
 */
#ifndef VGPU_KERNEL_CORE_RM_SCRUB_H
#define VGPU_KERNEL_CORE_RM_SCRUB_H

#include "channel.h"
#include "events.h"

struct vgpu_scrubber {
	const struct vgpu_abi *abi;
	struct vgpu_resources *resources;
	struct vgpu_events *events;
	struct mutex lock; /* protects the channel: one job at a time */
	struct vgpu_channel channel; /* made when it is first needed */
	u32 sequence;		     /* of the semaphore's values */
	struct vgpu_event_subscriber rc_error;
};

void vgpu_scrubber_init(struct vgpu_scrubber *scrubber,
			const struct vgpu_abi *abi,
			struct vgpu_resources *resources,
			struct vgpu_events *events);
void vgpu_scrubber_finish(struct vgpu_scrubber *scrubber);

/* Before the firmware is unloaded; and, when the GPU has stopped, free memory. */
void vgpu_scrubber_stop(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp);
void vgpu_scrubber_release(struct vgpu_scrubber *scrubber);

/* As scrub() of struct vgpu_core_ops, while nobody can unload the GSP. */
int vgpu_scrubber_scrub(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp,
			u64 fb_offset, u64 bytes);

/* As copy() of it. */
int vgpu_scrubber_copy(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp,
		       u64 fb_offset, void *data, u32 bytes, bool is_to_fb);

#endif
