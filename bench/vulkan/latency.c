/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one call takes that needs an answer, on a device at work and on one
 * that has had nothing to do for a while, and a submission with its fence.
 */
#include <time.h>

#include "tests/render/vtest/program.h"

#define CALLS	  20000u
#define IDLE_RUNS 200u
#define SUBMITS	  2000u
#define IDLE_NS	  5000000 /* longer than any ring stays awake */

static VkImage make_image(const struct program *p)
{
	const VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.imageType = VK_IMAGE_TYPE_2D,
		.format = VK_FORMAT_R8G8B8A8_UNORM,
		.extent = {16, 16, 1},
		.mipLevels = 1,
		.arrayLayers = 1,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.tiling = VK_IMAGE_TILING_LINEAR,
		.usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
	};
	VkImage image;

	program_check(vkCreateImage(p->device, &info, NULL, &image));
	return image;
}

/* Mesa's guest driver asks the host for this each time, as it caches little. */
static uint64_t call(const struct program *p, VkImage image)
{
	const VkImageSubresource subresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0};
	const uint64_t start = program_now_ns();
	VkSubresourceLayout layout = {};
	uint64_t ns;

	vkGetImageSubresourceLayout(p->device, image, &subresource, &layout);
	ns = program_now_ns() - start;
	if (layout.rowPitch < 16 * 4)
		program_die("a row pitch of %llu",
			    (unsigned long long)layout.rowPitch);
	return ns;
}

static void record(const struct program *p, VkCommandBuffer c, VkBuffer buffer)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};

	program_check(vkBeginCommandBuffer(c, &begin));
	vkCmdFillBuffer(c, buffer, 0, 64, 1);
	program_check(vkEndCommandBuffer(c));
}

int main(void)
{
	static uint64_t calls[CALLS], idle[IDLE_RUNS], submits[SUBMITS];
	const struct timespec pause = {0, IDLE_NS};
	struct program_buffer buffer;
	VkCommandBuffer commands;
	struct program p;
	VkImage image;
	VkFence fence;

	program_init(&p);
	image = make_image(&p);
	for (uint32_t i = 0; i < CALLS; i++)
		calls[i] = call(&p, image);
	for (uint32_t i = 0; i < IDLE_RUNS; i++) {
		nanosleep(&pause, NULL);
		idle[i] = call(&p, image);
	}

	program_buffer_init(&p, &buffer, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	program_command_buffers(&p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
				&commands);
	fence = program_fence(&p);
	record(&p, commands, buffer.buffer);
	for (uint32_t i = 0; i < SUBMITS; i++) {
		uint64_t start = program_now_ns();

		program_run(&p, commands, fence);
		submits[i] = program_now_ns() - start;
	}
	printf("{\"program\": \"latency\", \"call_p50_us\": %.2f,"
	       " \"call_p99_us\": %.2f, \"idle_call_p50_us\": %.2f,"
	       " \"submit_p50_us\": %.2f, \"submit_p99_us\": %.2f}\n",
	       (double)program_percentile(calls, CALLS, 50) / 1000,
	       (double)program_percentile(calls, CALLS, 99) / 1000,
	       (double)program_percentile(idle, IDLE_RUNS, 50) / 1000,
	       (double)program_percentile(submits, SUBMITS, 50) / 1000,
	       (double)program_percentile(submits, SUBMITS, 99) / 1000);
	vkDestroyFence(p.device, fence, NULL);
	program_buffer_finish(&p, &buffer);
	vkDestroyImage(p.device, image, NULL);
	program_finish(&p);
	return 0;
}
