/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small image that is drawn to, and the pipeline that draws points on it. */
#include "target.h"

#include "draw.frag.h"
#include "draw.vert.h"

#define FORMAT VK_FORMAT_R8G8B8A8_UNORM

static void make_image(struct target *t)
{
	const VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.imageType = VK_IMAGE_TYPE_2D,
		.format = FORMAT,
		.extent = {TARGET_SIZE, TARGET_SIZE, 1},
		.mipLevels = 1,
		.arrayLayers = 1,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
			 VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
	};
	VkImageViewCreateInfo view_info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
		.viewType = VK_IMAGE_VIEW_TYPE_2D,
		.format = FORMAT,
		.subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
	};
	VkDevice device = t->program.device;
	VkMemoryRequirements needs;

	program_check(vkCreateImage(device, &info, NULL, &t->image));
	vkGetImageMemoryRequirements(device, t->image, &needs);
	t->memory = program_allocate(&t->program, &needs,
				     VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
	program_check(vkBindImageMemory(device, t->image, t->memory, 0));
	view_info.image = t->image;
	program_check(vkCreateImageView(device, &view_info, NULL, &t->view));
}

static void make_pass(struct target *t)
{
	const VkAttachmentDescription attachment = {
		.format = FORMAT,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
		.storeOp = VK_ATTACHMENT_STORE_OP_STORE,
		.stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
		.stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
		.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
		.finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
	};
	const VkAttachmentReference color = {
		0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
	const VkSubpassDescription subpass = {
		.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
		.colorAttachmentCount = 1,
		.pColorAttachments = &color,
	};
	/* A frame draws over what the one before has drawn. */
	const VkSubpassDependency dependency = {
		.srcSubpass = VK_SUBPASS_EXTERNAL,
		.dstSubpass = 0,
		.srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
		.dstStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
		.srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
	};
	const VkRenderPassCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &attachment,
		.subpassCount = 1,
		.pSubpasses = &subpass,
		.dependencyCount = 1,
		.pDependencies = &dependency,
	};
	VkFramebufferCreateInfo framebuffer_info = {
		.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &t->view,
		.width = TARGET_SIZE,
		.height = TARGET_SIZE,
		.layers = 1,
	};
	VkDevice device = t->program.device;

	program_check(vkCreateRenderPass(device, &info, NULL, &t->pass));
	framebuffer_info.renderPass = t->pass;
	program_check(vkCreateFramebuffer(device, &framebuffer_info, NULL,
					  &t->framebuffer));
}

static void make_layout(struct target *t)
{
	const VkPushConstantRange push = {VK_SHADER_STAGE_VERTEX_BIT, 0, 4};
	const VkPipelineLayoutCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
		.pushConstantRangeCount = 1,
		.pPushConstantRanges = &push,
	};

	program_check(vkCreatePipelineLayout(t->program.device, &info, NULL,
					     &t->layout));
}

static void make_pipeline(struct target *t)
{
	VkPipelineShaderStageCreateInfo stages[] = {
		{.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
		 .stage = VK_SHADER_STAGE_VERTEX_BIT,
		 .pName = "main"},
		{.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
		 .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
		 .pName = "main"},
	};
	const VkPipelineVertexInputStateCreateInfo vertices = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
	};
	const VkPipelineInputAssemblyStateCreateInfo assembly = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
		.topology = VK_PRIMITIVE_TOPOLOGY_POINT_LIST,
	};
	const VkViewport viewport = {0, 0, TARGET_SIZE, TARGET_SIZE, 0, 1};
	const VkRect2D scissor = {{0, 0}, {TARGET_SIZE, TARGET_SIZE}};
	const VkPipelineViewportStateCreateInfo view = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
		.viewportCount = 1,
		.pViewports = &viewport,
		.scissorCount = 1,
		.pScissors = &scissor,
	};
	const VkPipelineRasterizationStateCreateInfo raster = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
		.lineWidth = 1,
	};
	const VkPipelineMultisampleStateCreateInfo samples = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
		.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
	};
	const VkPipelineColorBlendAttachmentState write_all = {
		.colorWriteMask = 0xf,
	};
	const VkPipelineColorBlendStateCreateInfo blend = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &write_all,
	};
	const VkGraphicsPipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
		.stageCount = 2,
		.pStages = stages,
		.pVertexInputState = &vertices,
		.pInputAssemblyState = &assembly,
		.pViewportState = &view,
		.pRasterizationState = &raster,
		.pMultisampleState = &samples,
		.pColorBlendState = &blend,
		.layout = t->layout,
		.renderPass = t->pass,
	};
	VkDevice device = t->program.device;

	stages[0].module =
		program_shader(&t->program, draw_vert, sizeof(draw_vert));
	stages[1].module =
		program_shader(&t->program, draw_frag, sizeof(draw_frag));
	program_check(vkCreateGraphicsPipelines(device, VK_NULL_HANDLE, 1,
						&info, NULL, &t->pipeline));
	vkDestroyShaderModule(device, stages[0].module, NULL);
	vkDestroyShaderModule(device, stages[1].module, NULL);
}

void target_init(struct target *t)
{
	*t = (struct target){};
	program_init(&t->program);
	make_image(t);
	make_pass(t);
	make_layout(t);
	make_pipeline(t);
	program_buffer_init(&t->program, &t->copy,
			    TARGET_SIZE * TARGET_SIZE * 4ULL,
			    VK_BUFFER_USAGE_TRANSFER_DST_BIT);
}

void target_finish(struct target *t)
{
	VkDevice device = t->program.device;

	program_buffer_finish(&t->program, &t->copy);
	vkDestroyPipeline(device, t->pipeline, NULL);
	vkDestroyPipelineLayout(device, t->layout, NULL);
	vkDestroyFramebuffer(device, t->framebuffer, NULL);
	vkDestroyRenderPass(device, t->pass, NULL);
	vkDestroyImageView(device, t->view, NULL);
	vkDestroyImage(device, t->image, NULL);
	vkFreeMemory(device, t->memory, NULL);
	program_finish(&t->program);
}

const uint32_t *target_read(struct target *t, VkCommandBuffer commands,
			    VkFence fence)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	const VkMemoryBarrier drawn = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
	};
	const VkMemoryBarrier copied = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT,
	};
	const VkBufferImageCopy region = {
		.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
		.imageExtent = {TARGET_SIZE, TARGET_SIZE, 1},
	};

	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdPipelineBarrier(
		commands, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
		VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &drawn, 0, NULL, 0, NULL);
	vkCmdCopyImageToBuffer(commands, t->image,
			       VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
			       t->copy.buffer, 1, &region);
	vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
			     VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &copied, 0, NULL,
			     0, NULL);
	program_check(vkEndCommandBuffer(commands));
	program_run(&t->program, commands, fence);
	return t->copy.map;
}
