/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Vulkan programs of the tests and benchmarks have in common. */
#ifndef VGPU_TESTS_RENDER_VTEST_PROGRAM_H
#define VGPU_TESTS_RENDER_VTEST_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vulkan/vulkan.h>

/*
 * A device of the loader's first GPU and its first queue, which can do
 * graphics and compute. VK_DRIVER_FILES chooses the driver.
 */
struct program {
	VkInstance instance;
	VkPhysicalDevice gpu;
	VkPhysicalDeviceMemoryProperties memory;
	VkDevice device;
	uint32_t family;
	VkQueue queue;
	VkCommandPool pool;
};

/* A buffer in memory of its own that stays mapped. */
struct program_buffer {
	VkBuffer buffer;
	VkDeviceMemory memory;
	void *map;
};

#define program_die(...)                                                       \
	do {                                                                   \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                \
		fprintf(stderr, __VA_ARGS__);                                  \
		fputc('\n', stderr);                                           \
		exit(1);                                                       \
	} while (0)

/* A Vulkan call that must succeed. */
#define program_check(call)                                                    \
	do {                                                                   \
		VkResult result_ = (call);                                     \
		if (result_ != VK_SUCCESS)                                     \
			program_die("%s: VkResult %d", #call, result_);        \
	} while (0)

/* All of them end the program with a message when something fails. */
void program_init(struct program *p);
/* The same of another version than 1.1, with @features of the device. */
void program_init_with(struct program *p, uint32_t api_version,
		       const void *features);
void program_finish(struct program *p);

/* A memory type of those in @types that has @flags. */
uint32_t program_memory_type(const struct program *p, uint32_t types,
			     VkMemoryPropertyFlags flags);
VkDeviceMemory program_allocate(const struct program *p,
				const VkMemoryRequirements *needs,
				VkMemoryPropertyFlags flags);

void program_buffer_init(const struct program *p, struct program_buffer *b,
			 VkDeviceSize bytes, VkBufferUsageFlags usage);
void program_buffer_finish(const struct program *p, struct program_buffer *b);

VkShaderModule program_shader(const struct program *p, const uint32_t *code,
			      size_t bytes);
void program_command_buffers(const struct program *p, VkCommandBufferLevel level,
			     uint32_t n, VkCommandBuffer *ret_buffers);
VkFence program_fence(const struct program *p);
/* Submit @commands and wait, for a minute at most, until they are done. */
void program_run(const struct program *p, VkCommandBuffer commands,
		 VkFence fence);

uint64_t program_now_ns(void);
/* The @percent-th percentile of @times, which it sorts. */
uint64_t program_percentile(uint64_t *times, size_t n, unsigned int percent);

#endif
