/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's Vulkan driver, and the GPU that this vGPU is on. */
#include "context.h"

#include <string.h>

PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name);

static VkPhysicalDevice pick(const struct vgpu_host *host,
			     const VkPhysicalDevice *all, uint32_t n,
			     const uint8_t uuid[16])
{
	static const uint8_t embedded[16];
	uint32_t i;

	for (i = 0; i < n; i++) {
		VkPhysicalDeviceIDProperties id = {
			.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
		};
		VkPhysicalDeviceProperties2 props = {
			.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
			.pNext = &id,
		};

		host->vk->GetPhysicalDeviceProperties2(all[i], &props);
		if (props.properties.apiVersion < VK_API_VERSION_1_1)
			continue;
		if (memcmp(uuid, embedded, 16) != 0
			    ? memcmp(uuid, id.deviceUUID, 16) == 0
			    : props.properties.deviceType ==
				      VK_PHYSICAL_DEVICE_TYPE_CPU)
			return all[i];
	}
	return VK_NULL_HANDLE;
}

bool vgpu_host_has_extension(const struct vgpu_host *host, const char *name)
{
	uint32_t i;

	for (i = 0; i < host->n_extensions; i++)
		if (strcmp(host->extensions[i].extensionName, name) == 0)
			return true;
	return false;
}

bool vgpu_host_has_families(const struct vgpu_host *host,
			    const uint32_t *families, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (families[i] >= host->n_families)
			return false;
	return true;
}

/*
 * Memory is exported by memory.c only, so the driver's own extensions for that
 * are hidden from the guest.
 */
static bool is_hidden(const char *name)
{
	static const char *const hidden[] = {
		VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
		VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
		VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
		VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME,
		VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME,
	};
	size_t i;

	for (i = 0; i < VGPU_ARRAY_SIZE(hidden); i++)
		if (strcmp(name, hidden[i]) == 0)
			return true;
	return false;
}

static const char *read_extensions(struct vgpu_host *host)
{
	uint32_t n = 0, i, k, kept = 0;
	VkExtensionProperties *all;

	host->vk->EnumerateDeviceExtensionProperties(host->physical, NULL, &n,
						     NULL);
	all = calloc(n + 1, sizeof(*all)); /* see read_sync_files() */
	if (!all || host->vk->EnumerateDeviceExtensionProperties(
			    host->physical, NULL, &n, all) != VK_SUCCESS) {
		free(all);
		return "the driver's extensions cannot be read";
	}
	for (i = 0; i < n; i++) {
		const char *name = all[i].extensionName;

		if (strcmp(name, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0)
			host->import = VGPU_IMPORT_HOST_POINTER;
		if (strcmp(name, VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME) == 0)
			host->has_external_fence_fd = true;
		if (strcmp(name, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME) == 0)
			host->has_external_semaphore_fd = true;
		if (is_hidden(name))
			continue;
		for (k = 0; vgpu_venus_extensions[k].name; k++) {
			if (strcmp(name, vgpu_venus_extensions[k].name) != 0)
				continue;
			all[kept] = all[i];
			all[kept].specVersion =
				VGPU_MIN(all[i].specVersion,
					 vgpu_venus_extensions[k].spec_version);
			kept++;
			break;
		}
	}
	host->extensions = all;
	host->n_extensions = kept;
	return NULL;
}

void vgpu_host_warm_up(const struct vgpu_host *host)
{
	const float priority = 1;
	const VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	const VkDeviceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue,
	};
	struct vgpu_vk vk = *host->vk;
	VkDevice device;

	if (vk.CreateDevice(host->physical, &info, NULL, &device) != VK_SUCCESS)
		return;
	vgpu_vk_load_device(&vk, host->vk->GetDeviceProcAddr, device);
	vk.DestroyDevice(device, NULL);
}

/* Whether a host pointer may be at any multiple of a page, as mappings are. */
static bool imports_pages(const struct vgpu_host *host)
{
	VkPhysicalDeviceExternalMemoryHostPropertiesEXT import = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
	};
	VkPhysicalDeviceProperties2 props = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
		.pNext = &import,
	};

	host->vk->GetPhysicalDeviceProperties2(host->physical, &props);
	return import.minImportedHostPointerAlignment <= 4096;
}

/*
 * How it takes memory of ours, and the types that do. One that runs on the
 * processor takes what the processor can reach, so it is not tried in each
 * process.
 */
static const char *choose_import(struct vgpu_host *host, uint32_t *ret_types)
{
	static struct vgpu_import import; /* its reason is returned */

	if (host->is_software && host->import && imports_pages(host)) {
		*ret_types = ~0u;
		return NULL;
	}
	vgpu_import_try(vkGetInstanceProcAddr, host->instance, host->physical,
			&import);
	host->import = import.way;
	*ret_types = import.types;
	return import.way ? NULL : import.why;
}

static const char *read_memory(struct vgpu_host *host, uint64_t framebuffer_bytes)
{
	VkPhysicalDeviceMemoryProperties real;
	uint32_t importable = 0;
	const char *why;

	host->vk->GetPhysicalDeviceProperties(host->physical, &host->properties);
	host->is_software =
		host->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
	host->vk->GetPhysicalDeviceMemoryProperties(host->physical, &real);
	why = choose_import(host, &importable);
	return why ? why
		   : vgpu_memory_view_init(&host->view, &real, importable,
					   framebuffer_bytes);
}

/*
 * Mesa's venus offers Vulkan 1.3 only if semaphores can import a signalled sync
 * file, which its window system code uses. With a driver that has no sync files
 * (lavapipe before Mesa 25.1) the queue signals the semaphore instead, if there
 * is only one queue: what waits for it is submitted to that queue later.
 */
static void read_sync_files(struct vgpu_host *host)
{
	const VkPhysicalDeviceExternalSemaphoreInfo info = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
		.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
	};
	VkExternalSemaphoreProperties props = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES,
	};

	host->vk->GetPhysicalDeviceExternalSemaphoreProperties(host->physical,
							       &info, &props);
	host->imports_sync_files = host->has_external_semaphore_fd &&
				   (props.externalSemaphoreFeatures &
				    VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT);
	host->signals_by_submit = !host->imports_sync_files &&
				  host->n_families == 1 &&
				  host->families[0].queueCount == 1;
	if (host->signals_by_submit && !host->has_external_semaphore_fd) {
		VkExtensionProperties *more =
			&host->extensions[host->n_extensions++];

		*more = (VkExtensionProperties){
			VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME,
			VK_KHR_EXTERNAL_SEMAPHORE_FD_SPEC_VERSION,
		};
	}
}

static const char *create_instance(struct vgpu_host *host)
{
	VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "vgpu-render",
		.apiVersion = VK_API_VERSION_1_1,
	};
	VkInstanceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
		.pApplicationInfo = &app,
	};
	struct vgpu_vk vk = {};

	vgpu_vk_load_global(&vk, vkGetInstanceProcAddr);
	if (!vk.EnumerateInstanceVersion ||
	    vk.EnumerateInstanceVersion(&host->api_version) != VK_SUCCESS ||
	    host->api_version < VK_API_VERSION_1_1)
		return "the host has no Vulkan 1.1";
	host->api_version = VGPU_MIN(host->api_version,
				     (uint32_t)VK_HEADER_VERSION_COMPLETE);
	app.apiVersion = host->api_version;
	if (vk.CreateInstance(&info, NULL, &host->instance) != VK_SUCCESS)
		return "the host has no Vulkan driver";
	vgpu_vk_load_instance(&vk, vkGetInstanceProcAddr, host->instance);
	host->vk = vgpu_functions_seal(&vk, /* place= */ NULL);
	return host->vk ? NULL : "out of memory";
}

const char *vgpu_host_init(struct vgpu_host *host, const uint8_t uuid[16],
			   uint64_t framebuffer_bytes)
{
	VkPhysicalDevice all[32];
	uint32_t n = VGPU_ARRAY_SIZE(all);
	const char *why = create_instance(host);
	VkResult result;

	if (why)
		return why;
	result = host->vk->EnumeratePhysicalDevices(host->instance, &n, all);
	if (result != VK_SUCCESS && result != VK_INCOMPLETE)
		return "the host has no GPU";
	host->physical = pick(host, all, n, uuid);
	if (!host->physical)
		return "the GPU of this vGPU is not there";
	host->vk->GetPhysicalDeviceQueueFamilyProperties(
		host->physical, &host->n_families, NULL);
	host->families = calloc(host->n_families ? host->n_families : 1,
				sizeof(*host->families));
	if (!host->families)
		return "out of memory";
	host->vk->GetPhysicalDeviceQueueFamilyProperties(
		host->physical, &host->n_families, host->families);
	why = read_extensions(host);
	if (!why)
		why = read_memory(host, framebuffer_bytes);
	if (!why)
		read_sync_files(host);
	return why;
}
