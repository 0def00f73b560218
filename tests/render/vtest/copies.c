/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vulkan 1.4's copies by the host between images and memory: texels go to an
 * image and come back, by the host and by the GPU.
 */
#include "tests/render/vtest/program.h"

#include <stdbool.h>
#include <string.h>

#define UNTOUCHED 0xa5

struct copy_case {
	const char *name;
	VkFormat format;
	VkImageAspectFlags aspect;
	uint32_t bytes, block; /* of a block of texels, and its edge */
	VkExtent3D image;
	uint32_t layers;
	VkOffset3D offset;
	VkExtent3D extent; /* of what is copied */
	uint32_t row_length, height;
};

static const struct copy_case cases[] = {
	{"tight",
	 VK_FORMAT_R8G8B8A8_UNORM,
	 VK_IMAGE_ASPECT_COLOR_BIT,
	 4,
	 1,
	 {64, 48, 1},
	 1,
	 {0, 0, 0},
	 {64, 48, 1},
	 0,
	 0},
	{"padded layers",
	 VK_FORMAT_R8G8B8A8_UNORM,
	 VK_IMAGE_ASPECT_COLOR_BIT,
	 4,
	 1,
	 {37, 21, 1},
	 3,
	 {0, 0, 0},
	 {37, 21, 1},
	 40,
	 23},
	{"part",
	 VK_FORMAT_R16G16_UINT,
	 VK_IMAGE_ASPECT_COLOR_BIT,
	 4,
	 1,
	 {100, 100, 1},
	 2,
	 {17, 5, 0},
	 {3, 90, 1},
	 5,
	 0},
	{"volume",
	 VK_FORMAT_R8_UNORM,
	 VK_IMAGE_ASPECT_COLOR_BIT,
	 1,
	 1,
	 {16, 9, 7},
	 1,
	 {1, 2, 3},
	 {15, 7, 4},
	 19,
	 8},
	{"blocks",
	 VK_FORMAT_BC1_RGBA_UNORM_BLOCK,
	 VK_IMAGE_ASPECT_COLOR_BIT,
	 8,
	 4,
	 {30, 18, 1},
	 2,
	 {0, 0, 0},
	 {30, 18, 1},
	 40,
	 20},
	{"depth",
	 VK_FORMAT_D32_SFLOAT_S8_UINT,
	 VK_IMAGE_ASPECT_DEPTH_BIT,
	 4,
	 1,
	 {33, 17, 1},
	 2,
	 {0, 0, 0},
	 {33, 17, 1},
	 0,
	 0},
	{"stencil",
	 VK_FORMAT_D32_SFLOAT_S8_UINT,
	 VK_IMAGE_ASPECT_STENCIL_BIT,
	 1,
	 1,
	 {33, 17, 1},
	 2,
	 {0, 0, 0},
	 {33, 17, 1},
	 64,
	 0},
	{"16 bits of depth",
	 VK_FORMAT_D16_UNORM,
	 VK_IMAGE_ASPECT_DEPTH_BIT,
	 2,
	 1,
	 {8, 8, 1},
	 1,
	 {0, 0, 0},
	 {8, 8, 1},
	 0,
	 0},
};

static uint32_t divide_up(uint32_t n, uint32_t by)
{
	return (n + by - 1) / by;
}

static void *must_alloc(size_t bytes)
{
	void *memory = malloc(bytes);

	if (!memory)
		program_die("no memory");
	memset(memory, UNTOUCHED, bytes);
	return memory;
}

static VkImageAspectFlags aspects_of(const struct copy_case *c)
{
	return c->format == VK_FORMAT_D32_SFLOAT_S8_UINT
		       ? VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT
		       : c->aspect;
}

static bool is_supported(const struct program *p, VkFormat format)
{
	VkFormatProperties3 props = {
		.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3,
	};
	VkFormatProperties2 props2 = {
		.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
		.pNext = &props,
	};

	vkGetPhysicalDeviceFormatProperties2(p->gpu, format, &props2);
	return props.optimalTilingFeatures &
	       VK_FORMAT_FEATURE_2_HOST_IMAGE_TRANSFER_BIT;
}

static VkImage make_image(const struct program *p, const struct copy_case *c,
			  VkDeviceMemory *ret_memory)
{
	const VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.imageType = c->image.depth > 1 ? VK_IMAGE_TYPE_3D
						: VK_IMAGE_TYPE_2D,
		.format = c->format,
		.extent = c->image,
		.mipLevels = 1,
		.arrayLayers = c->layers,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT |
			 VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
			 VK_IMAGE_USAGE_SAMPLED_BIT,
	};
	VkHostImageLayoutTransitionInfo transition = {
		.sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO,
		.newLayout = VK_IMAGE_LAYOUT_GENERAL,
		.subresourceRange = {aspects_of(c), 0, 1, 0, c->layers},
	};
	VkMemoryRequirements needs;
	VkImage image;

	program_check(vkCreateImage(p->device, &info, NULL, &image));
	vkGetImageMemoryRequirements(p->device, image, &needs);
	*ret_memory = program_allocate(p, &needs, 0);
	program_check(vkBindImageMemory(p->device, image, *ret_memory, 0));
	transition.image = image;
	program_check(vkTransitionImageLayout(p->device, 1, &transition));
	return image;
}

static VkImageSubresourceLayers all_layers(const struct copy_case *c)
{
	return (VkImageSubresourceLayers){c->aspect, 0, 0, c->layers};
}

static void to_image(const struct program *p, const struct copy_case *c,
		     VkImage image, VkHostImageCopyFlags flags, const void *from)
{
	const bool is_raw = flags & VK_HOST_IMAGE_COPY_MEMCPY;
	const VkMemoryToImageCopy region = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY,
		.pHostPointer = from,
		.memoryRowLength = is_raw ? 0 : c->row_length,
		.memoryImageHeight = is_raw ? 0 : c->height,
		.imageSubresource = all_layers(c),
		.imageOffset = is_raw ? (VkOffset3D){} : c->offset,
		.imageExtent = is_raw ? c->image : c->extent,
	};
	const VkCopyMemoryToImageInfo info = {
		.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
		.flags = flags,
		.dstImage = image,
		.dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
		.regionCount = 1,
		.pRegions = &region,
	};

	program_check(vkCopyMemoryToImage(p->device, &info));
}

static void from_image(const struct program *p, const struct copy_case *c,
		       VkImage image, VkHostImageCopyFlags flags, void *to)
{
	const bool is_raw = flags & VK_HOST_IMAGE_COPY_MEMCPY;
	const VkImageToMemoryCopy region = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY,
		.pHostPointer = to,
		.memoryRowLength = is_raw ? 0 : c->row_length,
		.memoryImageHeight = is_raw ? 0 : c->height,
		.imageSubresource = all_layers(c),
		.imageOffset = is_raw ? (VkOffset3D){} : c->offset,
		.imageExtent = is_raw ? c->image : c->extent,
	};
	const VkCopyImageToMemoryInfo info = {
		.sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO,
		.flags = flags,
		.srcImage = image,
		.srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
		.regionCount = 1,
		.pRegions = &region,
	};

	program_check(vkCopyImageToMemory(p->device, &info));
}

/* Texels that any format keeps as they are: no NaN, no sign. */
static void fill(const struct copy_case *c, uint8_t *memory, size_t bytes)
{
	uint32_t chance = 1;

	for (size_t i = 0; i < bytes; i++) {
		chance = chance * 1103515245 + 12345;
		memory[i] = (uint8_t)(chance >> 16);
	}
	for (size_t i = 3; c->bytes == 4 && i < bytes; i += 4)
		memory[i] = 0x3e; /* floats from 0.125 to 0.5 */
}

/* By the GPU: the part of the image that was copied, without gaps. */
static void read_by_gpu(const struct program *p, const struct copy_case *c,
			VkImage image, struct program_buffer *buffer)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	const VkBufferImageCopy region = {
		.bufferRowLength = c->row_length,
		.bufferImageHeight = c->height,
		.imageSubresource = all_layers(c),
		.imageOffset = c->offset,
		.imageExtent = c->extent,
	};
	VkFence fence = program_fence(p);
	VkCommandBuffer commands;

	program_command_buffers(p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1, &commands);
	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdCopyImageToBuffer(commands, image, VK_IMAGE_LAYOUT_GENERAL,
			       buffer->buffer, 1, &region);
	program_check(vkEndCommandBuffer(commands));
	program_run(p, commands, fence);
	vkFreeCommandBuffers(p->device, p->pool, 1, &commands);
	vkDestroyFence(p->device, fence, NULL);
}

/*
 * The same texels. Between rows nothing is written natively; Mesa's venus
 * writes zeros there, and it is the guest's driver that does.
 */
static void compare(const struct copy_case *c, const char *by,
		    const uint8_t *sent, const uint8_t *got, size_t bytes)
{
	size_t row = (size_t)divide_up(c->row_length ? c->row_length
						     : c->extent.width,
				       c->block) *
		     c->bytes;
	size_t used = (size_t)divide_up(c->extent.width, c->block) * c->bytes;
	size_t rows =
		divide_up(c->height ? c->height : c->extent.height, c->block);
	size_t used_rows = divide_up(c->extent.height, c->block);

	for (size_t i = 0; i < bytes; i++) {
		bool is_texel = i % row < used && i / row % rows < used_rows;

		if (is_texel ? got[i] != sent[i]
			     : got[i] != UNTOUCHED && got[i] != 0)
			program_die("%s, by the %s: byte %zu is 0x%02x, not 0x%02x",
				    c->name, by, i, got[i],
				    is_texel ? sent[i] : UNTOUCHED);
	}
}

static void run_case(const struct program *p, const struct copy_case *c)
{
	size_t row = divide_up(c->row_length ? c->row_length : c->extent.width,
			       c->block);
	size_t rows =
		divide_up(c->height ? c->height : c->extent.height, c->block);
	size_t bytes = row * rows * c->bytes * c->extent.depth * c->layers;
	uint8_t *sent = must_alloc(bytes), *got = must_alloc(bytes);
	struct program_buffer buffer;
	VkDeviceMemory memory;
	VkImage image;

	image = make_image(p, c, &memory);
	fill(c, sent, bytes);
	to_image(p, c, image, 0, sent);
	from_image(p, c, image, 0, got);
	compare(c, "host", sent, got, bytes);
	program_buffer_init(p, &buffer, bytes, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	memset(buffer.map, UNTOUCHED, bytes);
	read_by_gpu(p, c, image, &buffer);
	compare(c, "GPU", sent, buffer.map, bytes);
	program_buffer_finish(p, &buffer);
	vkDestroyImage(p->device, image, NULL);
	vkFreeMemory(p->device, memory, NULL);
	free(sent);
	free(got);
}

/* As the driver keeps it: from one image to another of the same kind. */
static void run_raw(const struct program *p, const struct copy_case *c)
{
	VkSubresourceHostMemcpySize size = {
		.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE,
	};
	VkSubresourceLayout2 layout = {
		.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2,
		.pNext = &size,
	};
	const VkImageSubresource2 subresource = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2,
		.imageSubresource = {c->aspect, 0, 0},
	};
	VkDeviceMemory memory[2];
	VkImage image[2];
	size_t bytes, texels = (size_t)c->row_length * c->height * 4 * c->layers;
	uint8_t *raw, *sent = must_alloc(texels), *got = must_alloc(texels);

	for (int i = 0; i < 2; i++)
		image[i] = make_image(p, c, &memory[i]);
	vkGetImageSubresourceLayout2(p->device, image[0], &subresource, &layout);
	bytes = size.size * c->layers;
	raw = must_alloc(bytes);
	fill(c, sent, texels);
	to_image(p, c, image[0], 0, sent);
	from_image(p, c, image[0], VK_HOST_IMAGE_COPY_MEMCPY, raw);
	to_image(p, c, image[1], VK_HOST_IMAGE_COPY_MEMCPY, raw);
	from_image(p, c, image[1], 0, got);
	compare(c, "host, raw", sent, got, texels);
	for (int i = 0; i < 2; i++) {
		vkDestroyImage(p->device, image[i], NULL);
		vkFreeMemory(p->device, memory[i], NULL);
	}
	free(raw);
	free(sent);
	free(got);
}

int main(void)
{
	VkPhysicalDeviceVulkan14Features features = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES,
		.hostImageCopy = VK_TRUE,
	};
	VkPhysicalDeviceProperties props;
	unsigned int n = 0;
	struct program p;

	program_init_with(&p, VK_API_VERSION_1_4, &features);
	vkGetPhysicalDeviceProperties(p.gpu, &props);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!is_supported(&p, cases[i].format))
			continue;
		run_case(&p, &cases[i]);
		n++;
	}
	run_raw(&p, &cases[1]);
	program_finish(&p);
	printf("{\"program\": \"copies\", \"cases\": %u, \"version\": \"%u.%u\"}\n",
	       n, VK_API_VERSION_MAJOR(props.apiVersion),
	       VK_API_VERSION_MINOR(props.apiVersion));
	return 0;
}
