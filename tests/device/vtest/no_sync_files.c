/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into vgpu-render: its driver has no sync files, as lavapipe had
 * none before Mesa 25.1.
 */
#include <dlfcn.h>
#include <string.h>

#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr real_get;
static PFN_vkEnumerateDeviceExtensionProperties real_enumerate;
static PFN_vkGetPhysicalDeviceExternalSemaphoreProperties real_semaphores;

static VKAPI_ATTR VkResult VKAPI_CALL enumerate(VkPhysicalDevice gpu,
						const char *layer,
						uint32_t *count,
						VkExtensionProperties *properties)
{
	VkResult r = real_enumerate(gpu, layer, count, properties);
	uint32_t kept = 0;

	if (!properties)
		return r;
	for (uint32_t i = 0; i < *count; i++)
		if (strcmp(properties[i].extensionName,
			   VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME) != 0)
			properties[kept++] = properties[i];
	*count = kept;
	return r;
}

static VKAPI_ATTR void VKAPI_CALL get_semaphores(
	VkPhysicalDevice gpu, const VkPhysicalDeviceExternalSemaphoreInfo *info,
	VkExternalSemaphoreProperties *properties)
{
	real_semaphores(gpu, info, properties);
	properties->exportFromImportedHandleTypes = 0;
	properties->compatibleHandleTypes = 0;
	properties->externalSemaphoreFeatures = 0;
}

__attribute__((visibility("default"))) VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
vkGetInstanceProcAddr(VkInstance instance, const char *name)
{
	PFN_vkVoidFunction found;

	if (!real_get)
		real_get = (PFN_vkGetInstanceProcAddr)dlsym(
			RTLD_NEXT, "vkGetInstanceProcAddr");
	found = real_get(instance, name);
	if (found && strcmp(name, "vkEnumerateDeviceExtensionProperties") == 0) {
		real_enumerate = (PFN_vkEnumerateDeviceExtensionProperties)found;
		return (PFN_vkVoidFunction)enumerate;
	}
	if (found &&
	    strcmp(name, "vkGetPhysicalDeviceExternalSemaphoreProperties") == 0) {
		real_semaphores =
			(PFN_vkGetPhysicalDeviceExternalSemaphoreProperties)found;
		return (PFN_vkVoidFunction)get_semaphores;
	}
	return found;
}
