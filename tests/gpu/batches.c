// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Submits of every shape: none, empty, with several command buffers, for a
 * device group, and of more batches than the renderer has timestamps for.
 * Each command buffer writes its number; all have to arrive.
 */
#include "../render/vtest/program.h"

#include <string.h>

#define BATCHES 200 /* of one submit */
#define ROUNDS	3   /* through either call */
#define COUNT	(2 * BATCHES)

#define WAIT_NS UINT64_C(60000000000)

struct work {
	struct program p;
	struct program_buffer numbers;
	VkCommandBuffer commands[COUNT];
	uint32_t round;
};

static void record(struct work *w)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};

	w->round++;
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t number = w->round * COUNT + i;

		program_check(vkBeginCommandBuffer(w->commands[i], &begin));
		vkCmdUpdateBuffer(w->commands[i], w->numbers.buffer,
				  i * sizeof(number), sizeof(number), &number);
		program_check(vkEndCommandBuffer(w->commands[i]));
	}
}

static void check(const struct work *w, VkFence fence)
{
	const uint32_t *numbers = w->numbers.map;

	program_check(vkWaitForFences(w->p.device, 1, &fence, VK_TRUE, WAIT_NS));
	program_check(vkResetFences(w->p.device, 1, &fence));
	for (uint32_t i = 0; i < COUNT; i++)
		if (numbers[i] != w->round * COUNT + i)
			program_die("round %u: command buffer %u wrote %u",
				    w->round, i, numbers[i]);
}

static void submit(struct work *w, VkFence fence)
{
	static const uint32_t masks[2] = {1, 1};
	const VkDeviceGroupSubmitInfo group = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_GROUP_SUBMIT_INFO,
		.commandBufferCount = 2,
		.pCommandBufferDeviceMasks = masks,
	};
	VkSubmitInfo batches[2 * BATCHES];

	record(w);
	program_check(vkQueueSubmit(w->p.queue, 0, NULL, VK_NULL_HANDLE));
	for (uint32_t i = 0; i < 2 * BATCHES; i++) {
		batches[i] = (VkSubmitInfo){
			.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		};
		if (i % 2)
			continue;
		batches[i].commandBufferCount = 2;
		batches[i].pCommandBuffers = &w->commands[i];
		if (i % 6 == 0)
			batches[i].pNext = &group;
	}
	program_check(vkQueueSubmit(w->p.queue, 2 * BATCHES, batches, fence));
	check(w, fence);
}

static void submit2(struct work *w, VkFence fence)
{
	VkCommandBufferSubmitInfo infos[COUNT];
	VkSubmitInfo2 batches[2 * BATCHES];

	record(w);
	program_check(vkQueueSubmit2(w->p.queue, 0, NULL, VK_NULL_HANDLE));
	for (uint32_t i = 0; i < COUNT; i++)
		infos[i] = (VkCommandBufferSubmitInfo){
			.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
			.commandBuffer = w->commands[i],
		};
	for (uint32_t i = 0; i < 2 * BATCHES; i++)
		batches[i] = (VkSubmitInfo2){
			.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
			.commandBufferInfoCount = i % 2 ? 0 : 2,
			.pCommandBufferInfos = &infos[i & ~1u],
		};
	program_check(vkQueueSubmit2(w->p.queue, 2 * BATCHES, batches, fence));
	check(w, fence);
}

int main(void)
{
	VkPhysicalDeviceVulkan13Features features = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
		.synchronization2 = VK_TRUE,
	};
	struct work w = {};
	VkFence fence;

	program_init_with(&w.p, VK_API_VERSION_1_3, &features);
	program_buffer_init(&w.p, &w.numbers, COUNT * sizeof(uint32_t),
			    VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	program_command_buffers(&w.p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, COUNT,
				w.commands);
	fence = program_fence(&w.p);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		submit(&w, fence);
		submit2(&w, fence);
	}
	vkDestroyFence(w.p.device, fence, NULL);
	program_buffer_finish(&w.p, &w.numbers);
	program_finish(&w.p);
	return 0;
}
