/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instance and the physical device, as the guest sees them. */
#include "context.h"

#include <string.h>

/*
 * The driver's instance was created at set-up; the guest's is a name for it. A
 * context has one instance at a time; some guests destroy it and create
 * another.
 */
void vgpu_handle_CreateInstance(struct vgpu_decoder *d,
				struct vgpu_args_CreateInstance *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);

	if (args->pCreateInfo->enabledLayerCount) {
		args->ret = VK_ERROR_LAYER_NOT_PRESENT;
		return;
	}
	if (args->pCreateInfo->enabledExtensionCount) {
		args->ret = VK_ERROR_EXTENSION_NOT_PRESENT;
		return;
	}
	if (atomic_exchange(&ctx->has_instance, true)) {
		vgpu_decoder_fail(d, "a context has one instance");
		return;
	}
	*args->pInstance = ctx->host.instance;
	args->new_pInstance[0]->vk = ctx->host.vk;
	args->new_pInstance[0]->priv = ctx; /* see object.c */
	args->ret = VK_SUCCESS;
}

static void wait_for_devices(const struct vgpu_object *parent)
{
	const struct vgpu_object *child;

	for (child = parent->children; child; child = child->sibling) {
		if (child->type == VK_OBJECT_TYPE_DEVICE)
			child->vk->DeviceWaitIdle(
				(VkDevice)(uintptr_t)child->handle);
		else if (child->type == VK_OBJECT_TYPE_PHYSICAL_DEVICE)
			wait_for_devices(child);
	}
}

void vgpu_handle_DestroyInstance(struct vgpu_decoder *d,
				 struct vgpu_args_DestroyInstance *args)
{
	if (args->o_instance)
		wait_for_devices(args->o_instance);
	vgpu_default_DestroyInstance(d, args);
}

void vgpu_handle_EnumerateInstanceVersion(
	struct vgpu_decoder *d, struct vgpu_args_EnumerateInstanceVersion *args)
{
	*args->pApiVersion = vgpu_context_of(d)->host.api_version;
	args->ret = VK_SUCCESS;
}

/* The guest's driver needs no instance extension of the host's. */
void vgpu_handle_EnumerateInstanceExtensionProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumerateInstanceExtensionProperties *args)
{
	*args->pPropertyCount = 0;
	args->ret = VK_SUCCESS;
}

void vgpu_handle_EnumeratePhysicalDevices(
	struct vgpu_decoder *d, struct vgpu_args_EnumeratePhysicalDevices *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);

	args->ret = VK_SUCCESS;
	if (args->pPhysicalDevices) {
		if (*args->pPhysicalDeviceCount == 0) {
			args->ret = VK_INCOMPLETE;
			return;
		}
		args->pPhysicalDevices[0] = ctx->host.physical;
		args->new_pPhysicalDevices[0]->vk = ctx->host.vk;
	}
	*args->pPhysicalDeviceCount = 1;
}

/* The id that the guest gave to the physical device. */
static uint64_t physical_id(struct vgpu_object *instance)
{
	struct vgpu_object *child = instance->children;

	while (child && child->type != VK_OBJECT_TYPE_PHYSICAL_DEVICE)
		child = child->sibling;
	return child ? child->id : 0;
}

void vgpu_handle_EnumeratePhysicalDeviceGroups(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumeratePhysicalDeviceGroups *args)
{
	VkPhysicalDeviceGroupProperties *group =
		args->pPhysicalDeviceGroupProperties;
	uint64_t id = physical_id(args->o_instance);

	args->ret = VK_SUCCESS;
	if (group) {
		if (*args->pPhysicalDeviceGroupCount == 0) {
			args->ret = VK_INCOMPLETE;
			return;
		}
		if (!id) { /* the guest has to enumerate devices first */
			args->ret = VK_ERROR_INITIALIZATION_FAILED;
			return;
		}
		group->physicalDeviceCount = 1;
		group->subsetAllocation = VK_FALSE;
		memset((void *)group->physicalDevices, 0,
		       sizeof(group->physicalDevices));
		/* It is sent unchanged: handles are ids for the guest. */
		group->physicalDevices[0] = (VkPhysicalDevice)(uintptr_t)id;
	}
	*args->pPhysicalDeviceGroupCount = 1;
}

void vgpu_handle_EnumerateDeviceExtensionProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumerateDeviceExtensionProperties *args)
{
	const struct vgpu_host *host = &vgpu_context_of(d)->host;
	uint32_t n = host->n_extensions;

	if (args->pLayerName) {
		vgpu_decoder_fail(d, "there are no layers");
		return;
	}
	args->ret = VK_SUCCESS;
	if (args->pProperties) {
		if (*args->pPropertyCount < n) {
			n = *args->pPropertyCount;
			args->ret = VK_INCOMPLETE;
		}
		memcpy(args->pProperties, host->extensions,
		       n * sizeof(*args->pProperties));
	}
	*args->pPropertyCount = n;
}

void vgpu_handle_GetPhysicalDeviceMemoryProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_GetPhysicalDeviceMemoryProperties *args)
{
	*args->pMemoryProperties = vgpu_context_of(d)->host.view.guest;
}

void vgpu_handle_GetPhysicalDeviceMemoryProperties2(
	struct vgpu_decoder *d,
	struct vgpu_args_GetPhysicalDeviceMemoryProperties2 *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	const VkPhysicalDeviceMemoryProperties *guest = &ctx->host.view.guest;
	VkBaseOutStructure *s;

	ctx->host.vk->GetPhysicalDeviceMemoryProperties2(
		args->physicalDevice, args->pMemoryProperties);
	args->pMemoryProperties->memoryProperties = *guest;
	for (s = args->pMemoryProperties->pNext; s; s = s->pNext) {
		VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)s;
		uint32_t i;

		if (s->sType !=
		    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT)
			continue;
		/* Do not show the host's own memory budget to the guest. */
		for (i = 0; i < VK_MAX_MEMORY_HEAPS; i++) {
			budget->heapUsage[i] = 0;
			budget->heapBudget[i] = guest->memoryHeaps[i].size;
		}
	}
}

void vgpu_handle_EnumerateInstanceLayerProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumerateInstanceLayerProperties *args)
{
	*args->pPropertyCount = 0;
	args->ret = VK_SUCCESS;
}

void vgpu_handle_EnumerateDeviceLayerProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumerateDeviceLayerProperties *args)
{
	*args->pPropertyCount = 0;
	args->ret = VK_SUCCESS;
}
