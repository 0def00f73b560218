/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a GPU's driver takes memory of ours: found out by doing it. */
#include "vulkan/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/util.h"
#include "vulkan/udmabuf.h"

#define PIECE_BYTES  (64UL * 1024)
#define PIECE_WORDS  (PIECE_BYTES / sizeof(uint32_t))
#define PATTERN	     0x5ca1ab1eu
#define WAIT_NS	     (5 * 1000000000ULL)
#define FAMILIES_MAX 32
/* Larger than any driver asks for: such a one takes no piece of a file. */
#define ALIGNMENT_MAX 4096
/* What a type must be for a guest to map it. */
#define MAPPABLE                                                               \
	(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |                                 \
	 VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
/* Flags that Vulkan 1.0 lists; others need features that nobody turns on. */
#define PLAIN                                                                  \
	(MAPPABLE | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |                      \
	 VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

#define INSTANCE_FUNCTIONS(X)                                                  \
	X(CreateDevice)                                                        \
	X(EnumerateDeviceExtensionProperties)                                  \
	X(GetDeviceProcAddr)                                                   \
	X(GetPhysicalDeviceMemoryProperties)                                   \
	X(GetPhysicalDeviceProperties2)                                        \
	X(GetPhysicalDeviceQueueFamilyProperties)
#define DEVICE_FUNCTIONS(X)                                                    \
	X(AllocateCommandBuffers)                                              \
	X(AllocateMemory)                                                      \
	X(BeginCommandBuffer)                                                  \
	X(BindBufferMemory)                                                    \
	X(CmdFillBuffer)                                                       \
	X(CreateBuffer)                                                        \
	X(CreateCommandPool)                                                   \
	X(CreateFence)                                                         \
	X(DestroyBuffer)                                                       \
	X(DestroyCommandPool)                                                  \
	X(DestroyDevice)                                                       \
	X(DestroyFence)                                                        \
	X(EndCommandBuffer)                                                    \
	X(FreeMemory)                                                          \
	X(GetBufferMemoryRequirements)                                         \
	X(GetDeviceQueue)                                                      \
	X(QueueSubmit)                                                         \
	X(WaitForFences)
/* Of an extension: NULL without it. */
#define EXTENSION_FUNCTIONS(X)                                                 \
	X(GetMemoryFdPropertiesKHR)                                            \
	X(GetMemoryHostPointerPropertiesEXT)

struct functions {
#define MEMBER(name) PFN_vk##name name;
	INSTANCE_FUNCTIONS(MEMBER)
	DEVICE_FUNCTIONS(MEMBER)
	EXTENSION_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* One way that is tried. */
struct trial {
	struct functions vk;
	VkPhysicalDevice gpu;
	VkPhysicalDeviceMemoryProperties memory;
	enum vgpu_import_way way;
	uint32_t family;
	VkDevice device;
	int memfd;
	int dmabuf;    /* UDMABUF */
	uint32_t *map; /* of the memfd */
};

static const struct way {
	const char *name;
	const char *extension[2];
	VkExternalMemoryHandleTypeFlagBits handle_type;
} ways[] = {
	[VGPU_IMPORT_NONE] = {.name = "none"},
	[VGPU_IMPORT_HOST_POINTER] =
		{
			"host-pointer",
			{VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME},
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
		},
	[VGPU_IMPORT_UDMABUF] =
		{
			"udmabuf",
			{VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
			 VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME},
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
		},
};

const char *vgpu_import_way_name(enum vgpu_import_way way)
{
	return ways[way].name;
}

static bool load_instance(struct functions *vk, PFN_vkGetInstanceProcAddr get,
			  VkInstance instance)
{
	bool is_complete = true;

#define LOAD(name)                                                             \
	vk->name = (PFN_vk##name)get(instance, "vk" #name);                    \
	is_complete &= vk->name != NULL;
	INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
	return is_complete;
}

static bool load_device(struct functions *vk, VkDevice device)
{
	bool is_complete = true;

#define LOAD(name)                                                             \
	vk->name = (PFN_vk##name)vk->GetDeviceProcAddr(device, "vk" #name);
#define NEED(name) LOAD(name) is_complete &= vk->name != NULL;
	DEVICE_FUNCTIONS(NEED)
	EXTENSION_FUNCTIONS(LOAD)
#undef NEED
#undef LOAD
	return is_complete;
}

static const char *result_text(VkResult result, char *text, size_t size)
{
	snprintf(text, size, "VkResult %d", (int)result);
	return text;
}

/* The first extension of the way's that the driver lacks; NULL: none. */
static const char *missing_extension(const struct trial *trial)
{
	const char *const *wanted = ways[trial->way].extension;
	vgpu_autofree VkExtensionProperties *all = NULL;
	uint32_t n = 0;

	trial->vk.EnumerateDeviceExtensionProperties(trial->gpu, NULL, &n, NULL);
	all = calloc(VGPU_MAX(n, 1u), sizeof(*all));
	if (!all || trial->vk.EnumerateDeviceExtensionProperties(
			    trial->gpu, NULL, &n, all) < 0)
		return wanted[0];
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ways[0].extension); i++) {
		uint32_t k = 0;

		while (wanted[i] && k < n &&
		       strcmp(wanted[i], all[k].extensionName) != 0)
			k++;
		if (wanted[i] && k == n)
			return wanted[i];
	}
	return NULL;
}

static bool find_family(struct trial *trial)
{
	VkQueueFamilyProperties family[FAMILIES_MAX];
	uint32_t n = FAMILIES_MAX;

	trial->vk.GetPhysicalDeviceQueueFamilyProperties(trial->gpu, &n, family);
	for (uint32_t i = 0; i < n; i++) {
		trial->family = i;
		/* Either can do what TRANSFER says, whether it says so or not. */
		if (family[i].queueCount &&
		    family[i].queueFlags &
			    (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT))
			return true;
	}
	return false;
}

/* 0, or why not. */
static const char *create_device(struct trial *trial, char *text, size_t size)
{
	const float priority = 1;
	const VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueFamilyIndex = trial->family,
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	const struct way *way = &ways[trial->way];
	const VkDeviceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue,
		.enabledExtensionCount = way->extension[1] ? 2 : 1,
		.ppEnabledExtensionNames = way->extension,
	};
	VkResult result =
		trial->vk.CreateDevice(trial->gpu, &info, NULL, &trial->device);

	if (result != VK_SUCCESS) {
		trial->device = VK_NULL_HANDLE;
		snprintf(text, size, "no device: VkResult %d", (int)result);
		return text;
	}
	return load_device(&trial->vk, trial->device)
		       ? NULL
		       : "the driver lacks functions of Vulkan 1.0";
}

/* A piece of what a vGPU's memory is, as the driver is to take it. */
static const char *create_piece(struct trial *trial, char *text, size_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	vgpu_autoclose int udmabuf = -1;
	void *map;

	trial->memfd =
		memfd_create("vgpu-import", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (trial->memfd < 0 || ftruncate(trial->memfd, PIECE_BYTES) < 0 ||
	    fcntl(trial->memfd, F_ADD_SEALS, seals) < 0)
		return strerror(errno);
	map = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		   trial->memfd, 0);
	if (map == MAP_FAILED)
		return strerror(errno);
	trial->map = map;
	if (trial->way != VGPU_IMPORT_UDMABUF)
		return NULL;
	udmabuf = vgpu_udmabuf_open();
	trial->dmabuf = udmabuf < 0 ? udmabuf
				    : vgpu_udmabuf_create(udmabuf, trial->memfd,
							  PIECE_BYTES);
	if (trial->dmabuf >= 0)
		return NULL;
	snprintf(text, size, VGPU_UDMABUF_PATH ": %s", strerror(-trial->dmabuf));
	return text;
}

/* What the driver says it could be imported as. */
static VkResult ask_types(const struct trial *trial, uint32_t *ret_types)
{
	VkMemoryHostPointerPropertiesEXT host = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
	};
	VkMemoryFdPropertiesKHR fd = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR,
	};
	const VkExternalMemoryHandleTypeFlagBits type =
		ways[trial->way].handle_type;
	VkResult result = VK_ERROR_EXTENSION_NOT_PRESENT;

	if (trial->way == VGPU_IMPORT_UDMABUF) {
		if (trial->vk.GetMemoryFdPropertiesKHR)
			result = trial->vk.GetMemoryFdPropertiesKHR(
				trial->device, type, trial->dmabuf, &fd);
		*ret_types = fd.memoryTypeBits;
	} else {
		if (trial->vk.GetMemoryHostPointerPropertiesEXT)
			result = trial->vk.GetMemoryHostPointerPropertiesEXT(
				trial->device, type, trial->map, &host);
		*ret_types = host.memoryTypeBits;
	}
	return result;
}

static VkResult import(const struct trial *trial, uint32_t index,
		       VkDeviceMemory *ret_memory)
{
	const struct way *way = &ways[trial->way];
	VkImportMemoryHostPointerInfoEXT pointer = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
		.handleType = way->handle_type,
		.pHostPointer = trial->map,
	};
	VkImportMemoryFdInfoKHR fd = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
		.handleType = way->handle_type,
		.fd = -1,
	};
	VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.pNext = &pointer,
		.allocationSize = PIECE_BYTES,
		.memoryTypeIndex = index,
	};
	VkResult result;

	if (trial->way == VGPU_IMPORT_UDMABUF) {
		fd.fd = fcntl(trial->dmabuf, F_DUPFD_CLOEXEC, 3);
		info.pNext = &fd;
	}
	result = trial->vk.AllocateMemory(trial->device, &info, NULL, ret_memory);
	/* It is the driver's once that has succeeded. */
	if (result != VK_SUCCESS)
		vgpu_close(fd.fd);
	return result;
}

/* Let the GPU write all of @buffer, and wait for it. */
static VkResult fill(const struct trial *trial, VkBuffer buffer)
{
	const struct functions *vk = &trial->vk;
	const VkCommandPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
		.queueFamilyIndex = trial->family,
	};
	VkCommandBufferAllocateInfo commands_info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
		.commandBufferCount = 1,
	};
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
	};
	const VkFenceCreateInfo fence_info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
	};
	VkCommandBuffer commands = VK_NULL_HANDLE;
	const VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = 1,
		.pCommandBuffers = &commands,
	};
	VkCommandPool pool = VK_NULL_HANDLE;
	VkFence fence = VK_NULL_HANDLE;
	VkQueue queue = VK_NULL_HANDLE;
	VkResult result;

	vk->GetDeviceQueue(trial->device, trial->family, 0, &queue);
	result = vk->CreateCommandPool(trial->device, &pool_info, NULL, &pool);
	if (result == VK_SUCCESS)
		result = vk->CreateFence(trial->device, &fence_info, NULL,
					 &fence);
	commands_info.commandPool = pool;
	if (result == VK_SUCCESS)
		result = vk->AllocateCommandBuffers(trial->device,
						    &commands_info, &commands);
	if (result == VK_SUCCESS)
		result = vk->BeginCommandBuffer(commands, &begin);
	if (result == VK_SUCCESS) {
		vk->CmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, PATTERN);
		result = vk->EndCommandBuffer(commands);
	}
	if (result == VK_SUCCESS)
		result = vk->QueueSubmit(queue, 1, &submit, fence);
	if (result == VK_SUCCESS)
		result = vk->WaitForFences(trial->device, 1, &fence, VK_TRUE,
					   WAIT_NS);
	vk->DestroyFence(trial->device, fence, NULL);
	vk->DestroyCommandPool(trial->device, pool, NULL);
	return result;
}

static bool has_pattern(const struct trial *trial)
{
	const volatile uint32_t *word = trial->map;
	size_t i = 0;

	while (i < PIECE_WORDS && word[i] == PATTERN)
		i++;
	return i == PIECE_WORDS;
}

/* NULL: memory type @index takes it, and what the GPU writes comes to us. */
static const char *try_type(const struct trial *trial, uint32_t index,
			    char *text, size_t size)
{
	const struct functions *vk = &trial->vk;
	const VkExternalMemoryBufferCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
		.handleTypes = ways[trial->way].handle_type,
	};
	const VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.pNext = &external,
		.size = PIECE_BYTES,
		.usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkMemoryRequirements needs = {};
	VkDeviceMemory memory = VK_NULL_HANDLE;
	VkBuffer buffer = VK_NULL_HANDLE;
	const char *why = NULL;
	VkResult result;

	memset(trial->map, 0, PIECE_BYTES);
	result = vk->CreateBuffer(trial->device, &info, NULL, &buffer);
	if (result == VK_SUCCESS) {
		vk->GetBufferMemoryRequirements(trial->device, buffer, &needs);
		if (!(needs.memoryTypeBits & 1u << index))
			why = "its buffers cannot be in imported memory";
		else
			result = import(trial, index, &memory);
	}
	if (result == VK_SUCCESS && !why)
		result = vk->BindBufferMemory(trial->device, buffer, memory, 0);
	if (result == VK_SUCCESS && !why)
		result = fill(trial, buffer);
	if (result != VK_SUCCESS)
		why = result_text(result, text, size);
	else if (!why && !has_pattern(trial))
		why = "what the GPU writes does not arrive";
	/* A GPU that is still at it is not waited for twice. */
	if (result == VK_TIMEOUT)
		return "the GPU does not come to an end";
	vk->DestroyBuffer(trial->device, buffer, NULL);
	vk->FreeMemory(trial->device, memory, NULL);
	return why;
}

static const char *try_types(const struct trial *trial, uint32_t *ret_types,
			     char *text, size_t size)
{
	const char *why = "none of its host-visible memory types takes it";
	uint32_t types = 0;
	VkResult result = ask_types(trial, &types);

	*ret_types = 0;
	if (result != VK_SUCCESS)
		return result_text(result, text, size);
	for (uint32_t i = 0; i < trial->memory.memoryTypeCount; i++) {
		VkMemoryPropertyFlags flags =
			trial->memory.memoryTypes[i].propertyFlags;
		const char *reason;

		if (!(types & 1u << i) || flags & ~PLAIN ||
		    (flags & MAPPABLE) != MAPPABLE)
			continue;
		reason = try_type(trial, i, text, size);
		if (!reason)
			*ret_types |= 1u << i;
		else
			why = reason;
	}
	return *ret_types ? NULL : why;
}

/* Host pointers may have to be at a multiple of more than a page. */
static bool is_aligned(const struct trial *trial)
{
	VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
	};
	VkPhysicalDeviceProperties2 properties = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
		.pNext = &host,
	};

	if (trial->way != VGPU_IMPORT_HOST_POINTER)
		return true;
	trial->vk.GetPhysicalDeviceProperties2(trial->gpu, &properties);
	return host.minImportedHostPointerAlignment <= ALIGNMENT_MAX;
}

static void finish(struct trial *trial)
{
	if (trial->device && trial->vk.DestroyDevice)
		trial->vk.DestroyDevice(trial->device, NULL);
	if (trial->map)
		munmap(trial->map, PIECE_BYTES);
	vgpu_close(trial->dmabuf);
	vgpu_close(trial->memfd);
}

/* NULL, or why it does not work. */
static const char *try_way(struct trial *trial, uint32_t *ret_types, char *text,
			   size_t size)
{
	const char *missing = missing_extension(trial);
	const char *why;

	if (missing) {
		snprintf(text, size, "the driver lacks %s", missing);
		return text;
	}
	if (!is_aligned(trial))
		return "the driver imports in too large pieces";
	if (!find_family(trial))
		return "the GPU has no queue";
	why = create_piece(trial, text, size);
	if (!why)
		why = create_device(trial, text, size);
	return why ? why : try_types(trial, ret_types, text, size);
}

void vgpu_import_try(PFN_vkGetInstanceProcAddr get, VkInstance instance,
		     VkPhysicalDevice gpu, struct vgpu_import *ret_import)
{
	struct functions vk = {};
	size_t used = 0;

	*ret_import = (struct vgpu_import){.way = VGPU_IMPORT_NONE};
	if (!load_instance(&vk, get, instance)) {
		snprintf(ret_import->why, sizeof(ret_import->why),
			 "the driver lacks functions of Vulkan 1.1");
		return;
	}
	for (enum vgpu_import_way way = VGPU_IMPORT_HOST_POINTER;
	     way <= VGPU_IMPORT_UDMABUF; way++) {
		struct trial trial = {
			.vk = vk,
			.gpu = gpu,
			.way = way,
			.memfd = -1,
			.dmabuf = -1,
		};
		char text[128];
		const char *why;

		vk.GetPhysicalDeviceMemoryProperties(gpu, &trial.memory);
		why = try_way(&trial, &ret_import->types, text, sizeof(text));
		if (why)
			used += (size_t)snprintf(ret_import->why + used,
						 sizeof(ret_import->why) - used,
						 "%s%s: %s", used ? "; " : "",
						 ways[way].name, why);
		finish(&trial);
		if (!why) {
			ret_import->way = way;
			ret_import->why[0] = '\0';
			return;
		}
		used = VGPU_MIN(used, sizeof(ret_import->why) - 1);
	}
}
