/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 256 MiB of a program's memory to the GPU's, and back, through a buffer that
 * the host and the GPU see: as programs do it where no memory is both.
 */
#include <string.h>

#include "tests/render/vtest/program.h"

#define MIB	    (1024ULL * 1024)
#define BYTES	    (256 * MIB)
#define STAGE_BYTES (32 * MIB)
#define RUNS	    5

struct local_buffer {
	VkBuffer buffer;
	VkDeviceMemory memory;
};

/* In memory that is the GPU's alone, where there is such memory. */
static struct local_buffer make_local(const struct program *p)
{
	const VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = BYTES,
		.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
			 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkMemoryRequirements needs;
	struct local_buffer local;

	program_check(vkCreateBuffer(p->device, &info, NULL, &local.buffer));
	vkGetBufferMemoryRequirements(p->device, local.buffer, &needs);
	local.memory =
		program_allocate(p, &needs, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
	program_check(
		vkBindBufferMemory(p->device, local.buffer, local.memory, 0));
	return local;
}

static void record(VkCommandBuffer commands, VkBuffer from, VkBuffer to,
		   const VkBufferCopy *region)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};

	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdCopyBuffer(commands, from, to, 1, region);
	program_check(vkEndCommandBuffer(commands));
}

struct transfer {
	struct program p;
	struct program_buffer stage;
	struct local_buffer local;
	VkCommandBuffer commands;
	VkFence fence;
	uint8_t *bytes;
};

static uint64_t upload(struct transfer *t)
{
	const uint64_t start = program_now_ns();

	for (uint64_t at = 0; at < BYTES; at += STAGE_BYTES) {
		VkBufferCopy region = {.dstOffset = at, .size = STAGE_BYTES};

		memcpy(t->stage.map, t->bytes + at, STAGE_BYTES);
		record(t->commands, t->stage.buffer, t->local.buffer, &region);
		program_run(&t->p, t->commands, t->fence);
	}
	return program_now_ns() - start;
}

static uint64_t read_back(struct transfer *t)
{
	const uint64_t start = program_now_ns();

	for (uint64_t at = 0; at < BYTES; at += STAGE_BYTES) {
		VkBufferCopy region = {.srcOffset = at, .size = STAGE_BYTES};

		record(t->commands, t->local.buffer, t->stage.buffer, &region);
		program_run(&t->p, t->commands, t->fence);
		memcpy(t->bytes + at, t->stage.map, STAGE_BYTES);
	}
	return program_now_ns() - start;
}

int main(void)
{
	uint64_t up[RUNS], down[RUNS];
	struct transfer t = {.bytes = malloc(BYTES)};

	if (!t.bytes)
		program_die("no memory");
	program_init(&t.p);
	t.local = make_local(&t.p);
	program_buffer_init(&t.p, &t.stage, STAGE_BYTES,
			    VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
				    VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	program_command_buffers(&t.p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
				&t.commands);
	t.fence = program_fence(&t.p);
	for (unsigned int i = 0; i < RUNS; i++) {
		memset(t.bytes, (int)i + 1, BYTES);
		up[i] = upload(&t);
		memset(t.bytes, 0, BYTES);
		down[i] = read_back(&t);
		for (uint64_t k = 0; k < BYTES; k += 4093)
			if (t.bytes[k] != i + 1)
				program_die("byte %llu is 0x%x",
					    (unsigned long long)k, t.bytes[k]);
	}
	printf("{\"upload_ms\": %.2f, \"read_ms\": %.2f}\n",
	       (double)program_percentile(up, RUNS, 50) / 1e6,
	       (double)program_percentile(down, RUNS, 50) / 1e6);
	vkDestroyFence(t.p.device, t.fence, NULL);
	program_buffer_finish(&t.p, &t.stage);
	vkDestroyBuffer(t.p.device, t.local.buffer, NULL);
	vkFreeMemory(t.p.device, t.local.memory, NULL);
	program_finish(&t.p);
	free(t.bytes);
	return 0;
}
