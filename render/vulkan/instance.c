/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instance and the physical device, as the guest sees them. */
#include "context.h"

#include <string.h>

/* Parts of Vulkan 1.1, which every host has. */
static const VkExtensionProperties offered[] = {
	{VK_KHR_GET_PHYSICAL_DEVICE_PROPERTIES_2_EXTENSION_NAME, 2},
	{VK_KHR_EXTERNAL_FENCE_CAPABILITIES_EXTENSION_NAME, 1},
	{VK_KHR_EXTERNAL_MEMORY_CAPABILITIES_EXTENSION_NAME, 1},
	{VK_KHR_EXTERNAL_SEMAPHORE_CAPABILITIES_EXTENSION_NAME, 1},
};

static bool is_offered(const char *name)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(offered); i++)
		if (strcmp(name, offered[i].extensionName) == 0)
			return true;
	return false;
}

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
	for (uint32_t i = 0; i < args->pCreateInfo->enabledExtensionCount; i++) {
		if (ctx->is_gfxstream &&
		    is_offered(args->pCreateInfo->ppEnabledExtensionNames[i]))
			continue;
		args->ret = VK_ERROR_EXTENSION_NOT_PRESENT;
		return;
	}
	/* All of a program's share the one context that gfxstream has for it. */
	if (atomic_exchange(&ctx->has_instance, true) && !ctx->is_gfxstream) {
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

/*
 * gfxstream's guest driver passes on all that the host has, and knows the
 * commands of so much of it.
 */
static uint32_t limit_version(const struct vgpu_context *ctx, uint32_t version)
{
	return ctx->is_gfxstream ? VGPU_MIN(version, VK_API_VERSION_1_3)
				 : version;
}

void vgpu_handle_EnumerateInstanceVersion(
	struct vgpu_decoder *d, struct vgpu_args_EnumerateInstanceVersion *args)
{
	const struct vgpu_context *ctx = vgpu_context_of(d);

	*args->pApiVersion = limit_version(ctx, ctx->host.api_version);
	args->ret = VK_SUCCESS;
}

void vgpu_handle_GetPhysicalDeviceProperties(
	struct vgpu_decoder *d, struct vgpu_args_GetPhysicalDeviceProperties *args)
{
	vgpu_default_GetPhysicalDeviceProperties(d, args);
	args->pProperties->apiVersion =
		limit_version(vgpu_context_of(d), args->pProperties->apiVersion);
}

void vgpu_handle_GetPhysicalDeviceProperties2(
	struct vgpu_decoder *d,
	struct vgpu_args_GetPhysicalDeviceProperties2 *args)
{
	VkPhysicalDeviceProperties *properties = &args->pProperties->properties;

	vgpu_default_GetPhysicalDeviceProperties2(d, args);
	properties->apiVersion =
		limit_version(vgpu_context_of(d), properties->apiVersion);
}

/*
 * venus needs no instance extension of the host's; gfxstream offers programs
 * what it is told of.
 */
void vgpu_handle_EnumerateInstanceExtensionProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_EnumerateInstanceExtensionProperties *args)
{
	uint32_t n =
		vgpu_context_of(d)->is_gfxstream ? VGPU_ARRAY_SIZE(offered) : 0;

	args->ret = VK_SUCCESS;
	if (args->pProperties) {
		if (*args->pPropertyCount < n) {
			n = *args->pPropertyCount;
			args->ret = VK_INCOMPLETE;
		}
		memcpy(args->pProperties, offered, n * sizeof(offered[0]));
	}
	*args->pPropertyCount = n;
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
	/*
	 * gfxstream's guest driver looks for this one, does not offer it to
	 * programs, and warns them if it is missing.
	 */
	static const VkExtensionProperties external = {
		VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, 1};
	const struct vgpu_context *ctx = vgpu_context_of(d);
	uint32_t known = ctx->host.n_extensions, n = known + ctx->is_gfxstream;

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
		memcpy(args->pProperties, ctx->host.extensions,
		       VGPU_MIN(n, known) * sizeof(*args->pProperties));
		if (n > known)
			args->pProperties[known] = external;
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
