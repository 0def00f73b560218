/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The least that a Vulkan program does: a device, and work that is done. */
#include "tests/render/vtest/program.h"

int main(void)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	struct program_buffer buffer;
	VkCommandBuffer commands;
	struct program p;
	VkFence fence;

	program_init(&p);
	program_buffer_init(&p, &buffer, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	program_command_buffers(&p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
				&commands);
	fence = program_fence(&p);
	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdFillBuffer(commands, buffer.buffer, 0, 4096, 0x12345678);
	program_check(vkEndCommandBuffer(commands));
	program_run(&p, commands, fence);
	for (uint32_t i = 0; i < 1024; i++)
		if (((const uint32_t *)buffer.map)[i] != 0x12345678)
			program_die("word %u is 0x%x", i,
				    ((const uint32_t *)buffer.map)[i]);
	vkDestroyFence(p.device, fence, NULL);
	program_buffer_finish(&p, &buffer);
	program_finish(&p);
	puts("{\"program\": \"hello\"}");
	return 0;
}
