/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small image that is drawn to, and the pipeline that draws points on it. */
#ifndef VGPU_BENCH_VULKAN_TARGET_H
#define VGPU_BENCH_VULKAN_TARGET_H

#include "tests/render/vtest/program.h"

#define TARGET_SIZE 64u

struct target {
	struct program program;
	VkImage image;
	VkDeviceMemory memory;
	VkImageView view;
	VkRenderPass pass;
	VkFramebuffer framebuffer;
	VkPipelineLayout layout;
	VkPipeline pipeline;
	struct program_buffer copy;
};

/* As program_init(), these end the program when something fails. */
void target_init(struct target *t);
void target_finish(struct target *t);

/* The image as it is after a frame: rows of r8g8b8a8. */
const uint32_t *target_read(struct target *t, VkCommandBuffer commands,
			    VkFence fence);

#endif
