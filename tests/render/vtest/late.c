/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Submits work that waits for the program itself, which signals it so many
 * seconds later: the queue has nothing to do until then.
 */
#include <unistd.h>

#include "tests/render/vtest/program.h"

#define VALUE 0x12345678

static VkSemaphore make_timeline(const struct program *p)
{
	const VkSemaphoreTypeCreateInfo type = {
		.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
		.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
	};
	const VkSemaphoreCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
		.pNext = &type,
	};
	VkSemaphore semaphore;

	program_check(vkCreateSemaphore(p->device, &info, NULL, &semaphore));
	return semaphore;
}

static void submit_after(const struct program *p, VkCommandBuffer commands,
			 VkSemaphore semaphore, VkFence fence)
{
	const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
	const uint64_t one = 1;
	const VkTimelineSemaphoreSubmitInfo timeline = {
		.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
		.waitSemaphoreValueCount = 1,
		.pWaitSemaphoreValues = &one,
	};
	const VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.pNext = &timeline,
		.waitSemaphoreCount = 1,
		.pWaitSemaphores = &semaphore,
		.pWaitDstStageMask = &stage,
		.commandBufferCount = 1,
		.pCommandBuffers = &commands,
	};

	program_check(vkQueueSubmit(p->queue, 1, &submit, fence));
}

int main(int argc, char **argv)
{
	VkPhysicalDeviceVulkan12Features features = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
		.timelineSemaphore = VK_TRUE,
	};
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	VkSemaphoreSignalInfo signal = {
		.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
		.value = 1,
	};
	struct program_buffer buffer;
	VkCommandBuffer commands;
	struct program p;
	VkFence fence;

	program_init_with(&p, VK_API_VERSION_1_2, &features);
	program_buffer_init(&p, &buffer, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	program_command_buffers(&p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
				&commands);
	fence = program_fence(&p);
	signal.semaphore = make_timeline(&p);
	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdFillBuffer(commands, buffer.buffer, 0, 4096, VALUE);
	program_check(vkEndCommandBuffer(commands));
	submit_after(&p, commands, signal.semaphore, fence);
	sleep(argc > 1 ? (unsigned int)atoi(argv[1]) : 0);
	if (*(const uint32_t *)buffer.map == VALUE)
		program_die("done before it was allowed");
	program_check(vkSignalSemaphore(p.device, &signal));
	program_check(
		vkWaitForFences(p.device, 1, &fence, VK_TRUE, 60000000000ULL));
	if (*(const uint32_t *)buffer.map != VALUE)
		program_die("the word is 0x%x", *(const uint32_t *)buffer.map);
	vkDestroySemaphore(p.device, signal.semaphore, NULL);
	vkDestroyFence(p.device, fence, NULL);
	program_buffer_finish(&p, &buffer);
	program_finish(&p);
	puts("{\"program\": \"late\"}");
	return 0;
}
