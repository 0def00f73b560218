/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that only gfxstream has. */
#include "render/vulkan/context.h"

#include "gfxstream_calls.h"
#include "render/wire/gfxstream.h"

void vgpu_handle_QueueFlushCommandsGOOGLE(
	struct vgpu_decoder *d, struct vgpu_args_QueueFlushCommandsGOOGLE *args)
{
	const uint8_t *at = d->at, *end = d->end;

	d->at = args->pData;
	d->end = d->at + args->dataSize;
	if (args->dataSize)
		vgpu_gfx_record(d, args->o_commandBuffer);
	if (d->fatal)
		return;
	d->at = at;
	d->end = end;
}

/*
 * What the guest may map is exported by the number of its object (see
 * vgpu_memory_export()), from its beginning.
 */
void vgpu_handle_GetMemoryHostAddressInfoGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_GetMemoryHostAddressInfoGOOGLE *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	uint64_t name, bytes = 0;

	args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
	if (vgpu_memory_export(ctx, args->o_memory->id, 0, &name, &bytes))
		args->ret = VK_SUCCESS;
	if (args->pAddress)
		*args->pAddress = 0;
	if (args->pSize)
		*args->pSize = bytes;
	if (args->pHostmemId)
		*args->pHostmemId = args->o_memory->id;
}

/* The guest asks for it where memory is mapped later; it is told not to. */
void vgpu_handle_GetBlobGOOGLE(struct vgpu_decoder *d,
			       struct vgpu_args_GetBlobGOOGLE *args)
{
	args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
}

/* All that a guest can map is coherent. */
void vgpu_handle_FlushMappedMemoryRanges(
	struct vgpu_decoder *d, struct vgpu_args_FlushMappedMemoryRanges *args)
{
	args->ret = VK_SUCCESS;
}

void vgpu_handle_InvalidateMappedMemoryRanges(
	struct vgpu_decoder *d,
	struct vgpu_args_InvalidateMappedMemoryRanges *args)
{
	args->ret = VK_SUCCESS;
}

void vgpu_handle_CreateBufferWithRequirementsGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_CreateBufferWithRequirementsGOOGLE *args)
{
	struct vgpu_args_CreateBuffer create = {
		.device = args->device,
		.pCreateInfo = args->pCreateInfo,
		.pBuffer = args->pBuffer,
		.o_device = args->o_device,
		.new_pBuffer = args->new_pBuffer,
		.id_pBuffer = args->id_pBuffer,
	};
	struct vgpu_args_GetBufferMemoryRequirements get = {
		.device = args->device,
		.o_device = args->o_device,
		.pMemoryRequirements = args->pMemoryRequirements,
	};

	vgpu_handle_CreateBuffer(d, &create);
	args->ret = create.ret;
	if (d->fatal || args->ret != VK_SUCCESS)
		return;
	get.buffer = *args->pBuffer;
	vgpu_handle_GetBufferMemoryRequirements(d, &get);
}

void vgpu_handle_CreateImageWithRequirementsGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_CreateImageWithRequirementsGOOGLE *args)
{
	struct vgpu_args_CreateImage create = {
		.device = args->device,
		.pCreateInfo = args->pCreateInfo,
		.pImage = args->pImage,
		.o_device = args->o_device,
		.new_pImage = args->new_pImage,
		.id_pImage = args->id_pImage,
	};
	struct vgpu_args_GetImageMemoryRequirements get = {
		.device = args->device,
		.o_device = args->o_device,
		.pMemoryRequirements = args->pMemoryRequirements,
	};

	vgpu_handle_CreateImage(d, &create);
	args->ret = create.ret;
	if (d->fatal || args->ret != VK_SUCCESS)
		return;
	get.image = *args->pImage;
	vgpu_handle_GetImageMemoryRequirements(d, &get);
}

/* How the rows of a linear image lie, found by one that is made for it. */
static void look_at_layout(struct vgpu_decoder *d,
			   const struct vgpu_object *device,
			   const VkImageCreateInfo *info,
			   VkDeviceSize *ret_offset, VkDeviceSize *ret_pitch)
{
	const VkImageSubresource whole = {
		.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
	};
	VkDevice handle = (VkDevice)(uintptr_t)device->handle;
	const struct vgpu_vk *vk = device->vk;
	VkSubresourceLayout layout = {};
	VkImage image;

	if (info->tiling != VK_IMAGE_TILING_LINEAR ||
	    vk->CreateImage(handle, info, NULL, &image) != VK_SUCCESS) {
		vgpu_decoder_fail(d, "no linear image");
		return;
	}
	vk->GetImageSubresourceLayout(handle, image, &whole, &layout);
	vk->DestroyImage(handle, image, NULL);
	*ret_offset = layout.offset;
	*ret_pitch = layout.rowPitch;
}

void vgpu_handle_GetLinearImageLayoutGOOGLE(
	struct vgpu_decoder *d, struct vgpu_args_GetLinearImageLayoutGOOGLE *args)
{
	const VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.imageType = VK_IMAGE_TYPE_2D,
		.format = args->format,
		.extent = {1, 1, 1},
		.mipLevels = 1,
		.arrayLayers = 1,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.tiling = VK_IMAGE_TILING_LINEAR,
		.usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
			 VK_IMAGE_USAGE_TRANSFER_DST_BIT,
	};

	look_at_layout(d, args->o_device, &info, args->pOffset,
		       args->pRowPitchAlignment);
}

void vgpu_handle_GetLinearImageLayout2GOOGLE(
	struct vgpu_decoder *d, struct vgpu_args_GetLinearImageLayout2GOOGLE *args)
{
	VkImageCreateInfo info = *args->pCreateInfo;

	info.pNext = NULL;
	info.extent = (VkExtent3D){1, 1, 1};
	info.tiling = VK_IMAGE_TILING_LINEAR;
	look_at_layout(d, args->o_device, &info, args->pOffset,
		       args->pRowPitchAlignment);
}
