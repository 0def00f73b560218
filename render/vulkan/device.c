/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logical devices. */
#include "context.h"

#include <string.h>

/* Limited because a device has threads; without a timeline it is of no use. */
#define DEVICES_MAX VGPU_RENDER_TIMELINES

/* Get a device, all zero except for its functions. NULL at the limit. */
static struct vgpu_vk_device *take_device(struct vgpu_context *ctx)
{
	struct vgpu_vk_device *device = NULL;

	pthread_mutex_lock(&ctx->lock);
	if (ctx->n_devices < DEVICES_MAX) {
		device = ctx->spare_devices;
		if (device)
			ctx->spare_devices = device->next;
		else
			device = calloc(1, sizeof(*device));
	}
	if (device)
		ctx->n_devices++;
	pthread_mutex_unlock(&ctx->lock);
	return device;
}

static void put_device(struct vgpu_context *ctx, struct vgpu_vk_device *device)
{
	pthread_mutex_lock(&ctx->lock);
	device->next = ctx->spare_devices;
	ctx->spare_devices = device;
	ctx->n_devices--;
	pthread_mutex_unlock(&ctx->lock);
}

static void destroy_queues(struct vgpu_vk_device *device)
{
	while (device->queues) {
		struct vgpu_queue *queue = device->queues;

		device->queues = queue->next;
		vgpu_queue_destroy(queue);
	}
}

void vgpu_vk_device_destroy(struct vgpu_context *ctx,
			    struct vgpu_vk_device *device, VkDevice handle)
{
	destroy_queues(device);
	device->vk->DestroyDevice(handle, NULL);
	put_device(ctx, device);
}

/* Check these numbers: drivers trust them. */
static bool queues_are_valid(const struct vgpu_host *host,
			     const VkDeviceCreateInfo *info)
{
	uint32_t i, k;

	/* A family may be given once, or twice if one entry is protected. */
	if (info->queueCreateInfoCount == 0 ||
	    info->queueCreateInfoCount > 2 * host->n_families)
		return false;
	for (i = 0; i < info->queueCreateInfoCount; i++) {
		const VkDeviceQueueCreateInfo *q = &info->pQueueCreateInfos[i];
		uint64_t sum = 0;

		if (q->queueFamilyIndex >= host->n_families || q->queueCount == 0)
			return false;
		for (k = 0; k <= i; k++)
			if (info->pQueueCreateInfos[k].queueFamilyIndex ==
			    q->queueFamilyIndex)
				sum += info->pQueueCreateInfos[k].queueCount;
		if (sum > host->families[q->queueFamilyIndex].queueCount)
			return false;
	}
	return true;
}

static bool create_queues(struct vgpu_context *ctx, VkDevice handle,
			  struct vgpu_vk_device *device,
			  const VkDeviceCreateInfo *info)
{
	uint32_t i, k;

	for (i = 0; i < info->queueCreateInfoCount; i++) {
		const VkDeviceQueueCreateInfo *q = &info->pQueueCreateInfos[i];

		for (k = 0; k < q->queueCount; k++) {
			VkDeviceQueueInfo2 which = {
				.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
				.flags = q->flags,
				.queueFamilyIndex = q->queueFamilyIndex,
				.queueIndex = k,
			};
			struct vgpu_queue *queue = vgpu_queue_create(
				ctx, handle, device->vk, &which);

			if (!queue)
				return false;
			queue->next = device->queues;
			device->queues = queue;
		}
	}
	return true;
}

/*
 * The guest's extensions, which must be among those offered, and those that we
 * need ourselves.
 */
static const char **extensions_for(const struct vgpu_host *host,
				   const VkDeviceCreateInfo *info,
				   uint32_t *ret_n, VkResult *ret)
{
	static const char *const ours[] = {
		VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
		VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
		VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
		VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME,
		VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME,
	};
	const bool has[] = {
		host->import == VGPU_IMPORT_HOST_POINTER,
		host->import == VGPU_IMPORT_UDMABUF,
		host->import == VGPU_IMPORT_UDMABUF,
		host->has_external_fence_fd,
		host->has_external_semaphore_fd,
	};
	uint32_t n = info->enabledExtensionCount, i, k;
	const char **names;

	*ret = VK_ERROR_EXTENSION_NOT_PRESENT;
	for (i = 0; i < n; i++)
		if (!vgpu_host_has_extension(host,
					     info->ppEnabledExtensionNames[i]))
			return NULL;
	*ret = VK_ERROR_OUT_OF_HOST_MEMORY;
	names = (const char **)calloc(n + VGPU_ARRAY_SIZE(ours), sizeof(*names));
	if (!names)
		return NULL;
	for (i = k = 0; i < n; i++) {
		const char *name = info->ppEnabledExtensionNames[i];

		/* We implement it ourselves: do not enable it in the driver. */
		if (strcmp(name, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME) !=
			    0 ||
		    host->has_external_semaphore_fd)
			names[k++] = name;
	}
	n = k;
	for (i = 0; i < VGPU_ARRAY_SIZE(ours); i++) {
		for (k = 0; k < n && strcmp(names[k], ours[i]) != 0; k++)
			;
		if (has[i] && k == n)
			names[n++] = ours[i];
	}
	*ret_n = n;
	return names;
}

/* On failure the driver's device is destroyed. */
static bool load_functions(struct vgpu_vk_device *device,
			   const struct vgpu_vk *instance, VkDevice handle)
{
	struct vgpu_vk vk = *instance;
	const struct vgpu_vk *sealed;

	vgpu_vk_load_device(&vk, instance->GetDeviceProcAddr, handle);
	sealed = vgpu_functions_seal(&vk, device->vk);
	if (!sealed) {
		vk.DestroyDevice(handle, NULL);
		return false;
	}
	device->vk = sealed;
	return true;
}

void vgpu_handle_CreateDevice(struct vgpu_decoder *d,
			      struct vgpu_args_CreateDevice *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	const struct vgpu_vk *vk = ctx->host.vk;
	VkDeviceCreateInfo info = *args->pCreateInfo;
	vgpu_autofree const char **names = NULL;
	struct vgpu_vk_device *device;

	if (!queues_are_valid(&ctx->host, &info)) {
		args->ret = VK_ERROR_INITIALIZATION_FAILED;
		return;
	}
	names = extensions_for(&ctx->host, &info, &info.enabledExtensionCount,
			       &args->ret);
	if (!names)
		return;
	info.ppEnabledExtensionNames = names;
	info.enabledLayerCount = 0;
	device = take_device(ctx);
	if (!device) {
		args->ret = VK_ERROR_TOO_MANY_OBJECTS;
		return;
	}
	args->ret = vk->CreateDevice(args->physicalDevice, &info, NULL,
				     args->pDevice);
	if (args->ret != VK_SUCCESS) {
		put_device(ctx, device);
		return;
	}
	if (!load_functions(device, vk, *args->pDevice)) {
		args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
		put_device(ctx, device);
		return;
	}
	if (!create_queues(ctx, *args->pDevice, device, &info)) {
		args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
		vgpu_vk_device_destroy(ctx, device, *args->pDevice);
		return;
	}
	args->new_pDevice[0]->vk = device->vk;
	args->new_pDevice[0]->priv = device;
}

void vgpu_handle_CreateCommandPool(struct vgpu_decoder *d,
				   struct vgpu_args_CreateCommandPool *args)
{
	if (!vgpu_host_has_families(&vgpu_context_of(d)->host,
				    &args->pCreateInfo->queueFamilyIndex, 1)) {
		vgpu_decoder_fail(d, "no such queue family");
		return;
	}
	vgpu_default_CreateCommandPool(d, args);
}

void vgpu_handle_DestroyDevice(struct vgpu_decoder *d,
			       struct vgpu_args_DestroyDevice *args)
{
	/* The GPU may still be using what the guest did not wait for. */
	if (args->o_device)
		args->o_device->vk->DeviceWaitIdle(args->device);
	vgpu_default_DestroyDevice(d, args);
}
