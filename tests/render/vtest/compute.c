/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over 64 MiB made by a compute shader, against the processor's own. */
#include <stdbool.h>

#include "tests/render/vtest/program.h"

#include "sum.comp.h"

#define WORDS  (64u * 1024 * 1024 / 4)
#define GROUP  65536u /* words that one work group adds up */
#define GROUPS (WORDS / GROUP)
#define ROUNDS 8u

struct sums {
	struct program program;
	struct program_buffer words, results;
	VkDescriptorSetLayout set_layout;
	VkDescriptorPool descriptors;
	VkDescriptorSet set;
	VkPipelineLayout layout;
	VkPipeline pipeline;
	VkCommandBuffer commands;
	VkFence fence;
};

static void make_set(struct sums *s)
{
	const VkDescriptorSetLayoutBinding bindings[] = {
		{0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
		 VK_SHADER_STAGE_COMPUTE_BIT, NULL},
		{1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
		 VK_SHADER_STAGE_COMPUTE_BIT, NULL},
	};
	const VkDescriptorSetLayoutCreateInfo layout_info = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
		.bindingCount = 2,
		.pBindings = bindings,
	};
	const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
	const VkDescriptorPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
		.maxSets = 1,
		.poolSizeCount = 1,
		.pPoolSizes = &size,
	};
	const VkDescriptorBufferInfo buffers[] = {
		{s->words.buffer, 0, VK_WHOLE_SIZE},
		{s->results.buffer, 0, VK_WHOLE_SIZE},
	};
	VkDescriptorSetAllocateInfo set_info = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
		.descriptorSetCount = 1,
		.pSetLayouts = &s->set_layout,
	};
	VkWriteDescriptorSet write = {
		.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		.descriptorCount = 2,
		.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
		.pBufferInfo = buffers,
	};
	VkDevice device = s->program.device;

	program_check(vkCreateDescriptorSetLayout(device, &layout_info, NULL,
						  &s->set_layout));
	program_check(vkCreateDescriptorPool(device, &pool_info, NULL,
					     &s->descriptors));
	set_info.descriptorPool = s->descriptors;
	program_check(vkAllocateDescriptorSets(device, &set_info, &s->set));
	/* The second descriptor goes on to binding 1. */
	write.dstSet = s->set;
	vkUpdateDescriptorSets(device, 1, &write, 0, NULL);
}

static void make_pipeline(struct sums *s)
{
	const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 4};
	const VkPipelineLayoutCreateInfo layout_info = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
		.setLayoutCount = 1,
		.pSetLayouts = &s->set_layout,
		.pushConstantRangeCount = 1,
		.pPushConstantRanges = &push,
	};
	VkComputePipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.stage =
			{
				.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
				.stage = VK_SHADER_STAGE_COMPUTE_BIT,
				.pName = "main",
			},
	};
	VkDevice device = s->program.device;

	program_check(
		vkCreatePipelineLayout(device, &layout_info, NULL, &s->layout));
	info.layout = s->layout;
	info.stage.module =
		program_shader(&s->program, sum_comp, sizeof(sum_comp));
	program_check(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info,
					       NULL, &s->pipeline));
	vkDestroyShaderModule(device, info.stage.module, NULL);
}

static void record(struct sums *s, uint32_t factor)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	const VkMemoryBarrier barrier = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT,
	};
	VkCommandBuffer c = s->commands;

	program_check(vkBeginCommandBuffer(c, &begin));
	vkCmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipeline);
	vkCmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->layout, 0,
				1, &s->set, 0, NULL);
	vkCmdPushConstants(c, s->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4,
			   &factor);
	vkCmdDispatch(c, GROUPS, 1, 1);
	vkCmdPipelineBarrier(c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
			     VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0,
			     NULL, 0, NULL);
	program_check(vkEndCommandBuffer(c));
}

/* A word that says where it is and in which round it was written. */
static uint32_t word(uint32_t i, uint32_t round)
{
	return (i + round) * 2654435761u ^ i >> 7;
}

int main(void)
{
	struct sums s = {};
	uint32_t expected[GROUPS], *words, *results;
	uint64_t times[ROUNDS], start;

	program_init(&s.program);
	program_buffer_init(&s.program, &s.words, WORDS * 4ULL,
			    VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
	program_buffer_init(&s.program, &s.results, GROUPS * 4ULL,
			    VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
	make_set(&s);
	make_pipeline(&s);
	program_command_buffers(&s.program, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
				&s.commands);
	s.fence = program_fence(&s.program);
	words = s.words.map;
	results = s.results.map;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < GROUPS; i++)
			expected[i] = results[i] = 0;
		for (uint32_t i = 0; i < WORDS; i++) {
			words[i] = word(i, round);
			expected[i / GROUP] += word(i, round) * (round + 1);
		}
		record(&s, round + 1);
		start = program_now_ns();
		program_run(&s.program, s.commands, s.fence);
		times[round] = program_now_ns() - start;
		for (uint32_t i = 0; i < GROUPS; i++)
			if (results[i] != expected[i])
				program_die("round %u, group %u: 0x%x, not 0x%x",
					    round, i, results[i], expected[i]);
	}
	printf("{\"program\": \"compute\", \"mib\": %u, \"rounds\": %u,"
	       " \"p50_us\": %.1f}\n",
	       WORDS / 4 / 65536, ROUNDS,
	       (double)program_percentile(times, ROUNDS, 50) / 1000);
	vkDestroyFence(s.program.device, s.fence, NULL);
	vkDestroyPipeline(s.program.device, s.pipeline, NULL);
	vkDestroyPipelineLayout(s.program.device, s.layout, NULL);
	vkDestroyDescriptorPool(s.program.device, s.descriptors, NULL);
	vkDestroyDescriptorSetLayout(s.program.device, s.set_layout, NULL);
	program_buffer_finish(&s.program, &s.results);
	program_buffer_finish(&s.program, &s.words);
	program_finish(&s.program);
	return 0;
}
