/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fences and semaphores that the guest has in sync files of its own. */
#include "context.h"

/* What an export to a sync file and its import do to the object itself. */
void vgpu_handle_ResetFenceResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_ResetFenceResourceMESA *args)
{
	VkFenceGetFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
		.fence = args->fence,
		.handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT,
	};
	const struct vgpu_vk *vk = args->o_device->vk;
	int fd = -1;

	if (!vk->GetFenceFdKHR ||
	    vk->GetFenceFdKHR(args->device, &info, &fd) != VK_SUCCESS)
		vgpu_decoder_fail(d, "the fence cannot be a sync file");
	vgpu_close(fd);
}

void vgpu_handle_WaitSemaphoreResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_WaitSemaphoreResourceMESA *args)
{
	VkSemaphoreGetFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
		.semaphore = args->semaphore,
		.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
	};
	const struct vgpu_vk *vk = args->o_device->vk;
	int fd = -1;

	if (!vk->GetSemaphoreFdKHR ||
	    vk->GetSemaphoreFdKHR(args->device, &info, &fd) != VK_SUCCESS)
		vgpu_decoder_fail(d, "the semaphore cannot be a sync file");
	vgpu_close(fd);
}

void vgpu_handle_ImportSemaphoreResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_ImportSemaphoreResourceMESA *args)
{
	VkImportSemaphoreFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
		.semaphore = args->pImportSemaphoreResourceInfo->semaphore,
		.flags = VK_SEMAPHORE_IMPORT_TEMPORARY_BIT,
		.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
		.fd = -1, /* signalled already */
	};
	const struct vgpu_vk *vk = args->o_device->vk;

	if (args->pImportSemaphoreResourceInfo->resourceId ||
	    !vk->ImportSemaphoreFdKHR ||
	    vk->ImportSemaphoreFdKHR(args->device, &info) != VK_SUCCESS)
		vgpu_decoder_fail(d, "nothing that a semaphore can take");
}
