/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel of the core driver's own, for a copy engine. */
#ifndef VGPU_KERNEL_CORE_RM_CHANNEL_H
#define VGPU_KERNEL_CORE_RM_CHANNEL_H

#include "kernel/core/gsp/gsp.h"
#include "resources.h"

/* What it has of the core driver's piece of the framebuffer. */
#define VGPU_CHANNEL_VRAM_BYTES 0x7000

#define VGPU_CHANNEL_PUSH_WORDS	  1024
#define VGPU_CHANNEL_BUFFER_BYTES 0x40000

struct vgpu_channel {
	struct vgpu_hw *hw;
	struct vgpu_resources *resources;
	bool is_made; /* all of it; otherwise there may be parts */
	bool has_vaspace;
	bool has_object;
	bool has_id;
	u32 id;
	u32 token;		/* what rings its doorbell */
	struct vgpu_dma memory; /* ring, methods, semaphore */
	struct vgpu_dma buffer; /* for what is copied */
	struct vgpu_dma method_buffer;
	u32 put;
	bool is_dead; /* it was at fault, or does not answer */
};

/* What is there of it after a failure is destroyed like all of it. */
int vgpu_channel_create(struct vgpu_gsp *gsp, struct vgpu_resources *resources,
			struct vgpu_channel *channel);

/*
 * Its objects are freed, and it runs no more, unless the GSP is wedged: then
 * its memory must not be freed before the GPU stopped.
 */
void vgpu_channel_stop(struct vgpu_gsp *gsp, struct vgpu_channel *channel);
void vgpu_channel_finish(struct vgpu_channel *channel);

/* Where the methods of the next submission are put, while none is under way. */
u32 *vgpu_channel_methods(struct vgpu_channel *channel);
void vgpu_channel_submit(struct vgpu_channel *channel, u32 words);

/* A word that it can write, by its own addresses; and as it stands. */
u64 vgpu_channel_semaphore_address(void);
u32 vgpu_channel_semaphore(const struct vgpu_channel *channel);

/* Its buffer, by its own addresses. */
u64 vgpu_channel_buffer_address(void);

#endif
