/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VK_EXT_host_image_copy: the guest's bytes are in its command, or in our
 * answer to it. The driver is told where they begin, not where they end, so
 * that is computed here first. What the driver does with an image that the copy
 * does not fit into is as with any command: not checked here.
 */
#include "image_copy.h"

#include "context.h"

/* An image's priv: its format and its number of layers. */
#define LAYERS_BITS 16
#define LAYERS_MAX  ((1U << LAYERS_BITS) - 1)

void vgpu_image_copy_note(struct vgpu_object *image, const VkImageCreateInfo *info)
{
	uint64_t note = (uint64_t)info->format << LAYERS_BITS |
			VGPU_MIN(info->arrayLayers, LAYERS_MAX);

	image->priv = (void *)(uintptr_t)note;
}

static VkFormat get_format(const struct vgpu_object *image)
{
	return (VkFormat)((uintptr_t)image->priv >> LAYERS_BITS);
}

/* Of @layers; 0 if there are none. */
static uint32_t count_layers(const struct vgpu_object *image,
			     const VkImageSubresourceLayers *layers)
{
	uint32_t n = (uintptr_t)image->priv & LAYERS_MAX;

	if (layers->baseArrayLayer >= n)
		return 0;
	n -= layers->baseArrayLayer;
	if (layers->layerCount == VK_REMAINING_ARRAY_LAYERS)
		return n;
	return layers->layerCount <= n ? layers->layerCount : 0;
}

/* As the driver keeps them: it says how much that is. */
static bool sum_of_driver(const struct vgpu_vk *vk, VkDevice device,
			  VkImage handle, const VkImageSubresourceLayers *layers,
			  uint32_t n, uint64_t *ret_bytes)
{
	uint64_t sum = 0;

	if (!vk->GetImageSubresourceLayout2)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		VkImageSubresource2 subresource = {
			.sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2,
			.imageSubresource = {layers->aspectMask, layers->mipLevel,
					     layers->baseArrayLayer + i},
		};
		VkSubresourceHostMemcpySize size = {
			.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE,
		};
		VkSubresourceLayout2 layout = {
			.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2,
			.pNext = &size,
		};

		vk->GetImageSubresourceLayout2(device, handle, &subresource,
					       &layout);
		if (__builtin_add_overflow(sum, size.size, &sum))
			return false;
	}
	*ret_bytes = sum;
	return true;
}

/*
 * For a guest it is no shortcut: all bytes pass through its ring, within a
 * limit, where a buffer is memory that both see. So programs that ask are told
 * that images do not like it: Zink, ANGLE and Skia use buffers then.
 */
void vgpu_handle_GetPhysicalDeviceImageFormatProperties2(
	struct vgpu_decoder *d,
	struct vgpu_args_GetPhysicalDeviceImageFormatProperties2 *args)
{
	VkBaseOutStructure *s;

	vgpu_default_GetPhysicalDeviceImageFormatProperties2(d, args);
	if (d->fatal || args->ret != VK_SUCCESS)
		return;
	for (s = args->pImageFormatProperties->pNext; s; s = s->pNext) {
		VkHostImageCopyDevicePerformanceQuery *query = (void *)s;

		if (s->sType !=
		    VK_STRUCTURE_TYPE_HOST_IMAGE_COPY_DEVICE_PERFORMANCE_QUERY)
			continue;
		query->optimalDeviceAccess = VK_FALSE;
		query->identicalMemoryLayout = VK_FALSE;
	}
}

struct copy {
	VkDevice device;
	VkImage image;
	const struct vgpu_object *object; /* the image's */
	VkHostImageCopyFlags flags;
};

/* Does a copy's memory end within @bytes? */
static bool check_region(struct vgpu_decoder *d, const struct copy *copy,
			 const VkImageSubresourceLayers *layers,
			 uint32_t row_length, uint32_t height,
			 VkExtent3D extent, uint64_t bytes)
{
	uint32_t n = count_layers(copy->object, layers);
	uint64_t needed = 0;
	bool is_known;

	if (copy->flags & VK_HOST_IMAGE_COPY_MEMCPY)
		is_known = n && sum_of_driver(copy->object->vk, copy->device,
					      copy->image, layers, n, &needed);
	else
		is_known = vgpu_image_copy_bytes(get_format(copy->object),
						 layers->aspectMask, row_length,
						 height, extent, n, &needed);
	if (is_known && needed <= bytes)
		return true;
	vgpu_decoder_fail(d, is_known ? "a copy by the host of more bytes than"
					" there are"
				      : "a copy by the host that cannot be");
	return false;
}

void vgpu_handle_CopyImageToMemoryMESA(struct vgpu_decoder *d,
				       struct vgpu_args_CopyImageToMemoryMESA *args)
{
	const VkCopyImageToMemoryInfoMESA *info = args->pCopyImageToMemoryInfo;
	VkImageToMemoryCopy region = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY,
		.pHostPointer = args->pData,
		.memoryRowLength = info->memoryRowLength,
		.memoryImageHeight = info->memoryImageHeight,
		.imageSubresource = info->imageSubresource,
		.imageOffset = info->imageOffset,
		.imageExtent = info->imageExtent,
	};
	VkCopyImageToMemoryInfo local = {
		.sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO,
		.flags = info->flags,
		.srcImage = info->srcImage,
		.srcImageLayout = info->srcImageLayout,
		.regionCount = 1,
		.pRegions = &region,
	};
	struct copy copy = {args->device, info->srcImage, d->kept, info->flags};
	const struct vgpu_vk *vk = args->o_device->vk;

	if (!vk->CopyImageToMemory) {
		vgpu_decoder_fail(d, "the host's driver has no"
				     " vkCopyImageToMemory");
		return;
	}
	if (check_region(d, &copy, &region.imageSubresource,
			 region.memoryRowLength, region.memoryImageHeight,
			 region.imageExtent, args->dataSize))
		args->ret = vk->CopyImageToMemory(args->device, &local);
}

void vgpu_handle_CopyMemoryToImageMESA(struct vgpu_decoder *d,
				       struct vgpu_args_CopyMemoryToImageMESA *args)
{
	const VkCopyMemoryToImageInfoMESA *info = args->pCopyMemoryToImageInfo;
	VkCopyMemoryToImageInfo local = {
		.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
		.flags = info->flags,
		.dstImage = info->dstImage,
		.dstImageLayout = info->dstImageLayout,
		.regionCount = info->regionCount,
	};
	struct copy copy = {args->device, info->dstImage, d->kept, info->flags};
	const struct vgpu_vk *vk = args->o_device->vk;
	VkMemoryToImageCopy *region;

	if (!vk->CopyMemoryToImage) {
		vgpu_decoder_fail(d, "the host's driver has no"
				     " vkCopyMemoryToImage");
		return;
	}
	region = vgpu_decoder_alloc(d, info->regionCount, sizeof(*region));
	if (!region)
		return;
	for (uint32_t i = 0; i < info->regionCount; i++) {
		const VkMemoryToImageCopyMESA *from = &info->pRegions[i];

		region[i] = (VkMemoryToImageCopy){
			.sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY,
			.pHostPointer = from->pData,
			.memoryRowLength = from->memoryRowLength,
			.memoryImageHeight = from->memoryImageHeight,
			.imageSubresource = from->imageSubresource,
			.imageOffset = from->imageOffset,
			.imageExtent = from->imageExtent,
		};
		if (!check_region(d, &copy, &from->imageSubresource,
				  from->memoryRowLength, from->memoryImageHeight,
				  from->imageExtent, from->dataSize))
			return;
	}
	local.pRegions = region;
	args->ret = vk->CopyMemoryToImage(args->device, &local);
}
