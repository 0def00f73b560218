/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Vulkan layer that makes of a software driver a GPU with memory of its own,
 * as drivers of hardware show it; what it is given is still carried out. Built
 * once for each KIND.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define DL	 VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
#define HV	 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
#define COHERENT VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
#define CACHED	 VK_MEMORY_PROPERTY_HOST_CACHED_BIT
#define AMD                                                                    \
	(VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD |                          \
	 VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD)

#define LOCAL_BYTES (2048ULL << 20)
#define HOST_BYTES  (2048ULL << 20)
#define KEYS_MAX    256

enum { HEAP_HOST, HEAP_LOCAL };

/* As such GPUs' drivers have them; see docs/hardware.md. */
static const struct kind {
	const char *name;
	const char *lacks; /* an extension */
	uint32_t vendor;
	VkMemoryType type[12];
	uint32_t n_types;
	uint32_t pointer_types, dmabuf_types; /* that imports are offered */
	bool takes_files;		      /* as host pointers */
	bool opens_node; /* for each device, where there is one */
} kind =
#if KIND == 1
	{
		.name = "Test GPU that refuses files",
		.vendor = 0x1002,
		.type = {{DL, HEAP_LOCAL},
			 {DL, HEAP_LOCAL},
			 {HV | COHERENT, HEAP_HOST},
			 {DL | HV | COHERENT, HEAP_LOCAL},
			 {DL | HV | COHERENT, HEAP_LOCAL},
			 {HV | COHERENT | CACHED, HEAP_HOST},
			 {HV | COHERENT | CACHED, HEAP_HOST},
			 {DL | AMD, HEAP_LOCAL},
			 {HV | COHERENT | AMD, HEAP_HOST},
			 {DL | HV | COHERENT | AMD, HEAP_LOCAL},
			 {HV | COHERENT | CACHED | AMD, HEAP_HOST}},
		.n_types = 11,
		.pointer_types = 1 << 5,
		.dmabuf_types = 1 << 2 | 1 << 5 | 1 << 6,
};
#elif KIND == 2
	{
		.name = "Test GPU without host pointers",
		.lacks = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
		.vendor = 0x10de,
		.type = {{DL, HEAP_LOCAL},
			 {DL | HV | COHERENT, HEAP_LOCAL},
			 {HV | COHERENT | CACHED, HEAP_HOST}},
		.n_types = 3,
		.dmabuf_types = 1 << 2,
		.opens_node = true,
};
#else
	{
		.name = "Test GPU that takes files",
		.vendor = 0x8086,
		.type = {{DL, HEAP_LOCAL},
			 {HV | COHERENT | CACHED, HEAP_HOST},
			 {DL | HV | COHERENT, HEAP_LOCAL}},
		.n_types = 3,
		.pointer_types = 7,
		.takes_files = true,
};
#endif

#define UNPLUGGED 2

/*
 * What a test does to the GPU: a file beside the layer, which processes map
 * before they are shut in. Devices of an earlier generation are lost.
 */
struct fate {
	uint32_t generation;
	uint32_t is_gone; /* UNPLUGGED: the driver knows of none */
};

static const volatile struct fate *fate = &(const volatile struct fate){};

/* The functions of an instance or a device, found by its dispatch table. */
struct next {
	void *key;
	const void *handle;
	uint32_t generation;
	PFN_vkGetInstanceProcAddr instance;
	PFN_vkGetDeviceProcAddr device;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct next nexts[KEYS_MAX];

/* What is on the GPU, to be refused where it is full. */
static struct on_gpu {
	struct on_gpu *other;
	VkDeviceMemory memory;
	uint64_t bytes;
} *all_on_gpu;
static uint64_t used_bytes;

static void *key_of(const void *handle)
{
	return *(void *const *)handle;
}

static struct next *find_next(const void *key)
{
	struct next *found = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEYS_MAX && !found; i++)
		if (nexts[i].key == key)
			found = &nexts[i];
	pthread_mutex_unlock(&lock);
	if (!found)
		abort();
	return found;
}

static void add_next(const void *handle, PFN_vkGetInstanceProcAddr instance,
		     PFN_vkGetDeviceProcAddr device)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (i < KEYS_MAX - 1 && nexts[i].key && nexts[i].key != key_of(handle))
		i++;
	nexts[i] = (struct next){key_of(handle), handle, fate->generation,
				 instance, device};
	pthread_mutex_unlock(&lock);
}

#define OF_INSTANCE(handle, name)                                              \
	((PFN_##name)find_next(key_of(handle))->instance(instance_of(handle), #name))
#define OF_DEVICE(handle, name)                                                \
	((PFN_##name)find_next(key_of(handle))->device(handle, #name))

/* A physical device shares its instance's table, but is no instance. */
static VkInstance the_instance;

static VkInstance instance_of(const void *handle)
{
	(void)handle;
	return the_instance;
}

static VkLayerInstanceCreateInfo *instance_link(const VkInstanceCreateInfo *info)
{
	const VkBaseInStructure *s = info->pNext;

	while (s && !(s->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO &&
		      ((const VkLayerInstanceCreateInfo *)s)->function ==
			      VK_LAYER_LINK_INFO))
		s = s->pNext;
	return (VkLayerInstanceCreateInfo *)s;
}

/* The node of whatever GPU the machine has. */
#define NODE "/dev/dri/renderD128"

static int node = -1;

/* As drivers do that have a file of the kernel's for each device. */
static bool open_again(void)
{
	struct stat st;
	char path[64];
	int fd, link = -1;

	if (node < 0)
		return true;
	fd = open(NODE, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/uevent",
		 major(st.st_rdev), minor(st.st_rdev));
	link = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	close(link);
	/* And nothing else. */
	return link >= 0 && open("/etc/passwd", O_RDONLY) < 0;
}

static void map_fate(void)
{
	char path[PATH_MAX];
	Dl_info library;
	void *map = MAP_FAILED;
	int fd;

	if (!dladdr(nexts, &library))
		return;
	snprintf(path, sizeof(path), "%s.fate", library.dli_fname);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		map = mmap(NULL, sizeof(*fate), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		fate = map;
}

static bool is_lost(const void *handle)
{
	return fate->is_gone ||
	       find_next(key_of(handle))->generation != fate->generation;
}

static VKAPI_ATTR VkResult VKAPI_CALL
create_instance(const VkInstanceCreateInfo *info,
		const VkAllocationCallbacks *allocator, VkInstance *instance)
{
	VkLayerInstanceCreateInfo *link = instance_link(info);
	PFN_vkGetInstanceProcAddr get =
		link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
	PFN_vkCreateInstance create =
		(PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
	VkResult result;

	link->u.pLayerInfo = link->u.pLayerInfo->pNext;
	result = create(info, allocator, instance);
	if (result == VK_SUCCESS) {
		the_instance = *instance;
		map_fate();
		if (kind.opens_node && node < 0)
			node = open(NODE, O_RDWR | O_CLOEXEC);
		add_next(*instance, get, NULL);
	}
	return result;
}

static unsigned int n_devices;

static VKAPI_ATTR VkResult VKAPI_CALL
create_device(VkPhysicalDevice gpu, const VkDeviceCreateInfo *info,
	      const VkAllocationCallbacks *allocator, VkDevice *device)
{
	const VkBaseInStructure *s = info->pNext;
	PFN_vkGetInstanceProcAddr get_instance;
	PFN_vkGetDeviceProcAddr get_device;
	VkLayerDeviceCreateInfo *link;
	VkResult result;

	while (s && !(s->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO &&
		      ((const VkLayerDeviceCreateInfo *)s)->function ==
			      VK_LAYER_LINK_INFO))
		s = s->pNext;
	link = (VkLayerDeviceCreateInfo *)s;
	/* The first is a try of the process' own, before it is shut in. */
	if (n_devices++ > 0 && !open_again())
		return VK_ERROR_INITIALIZATION_FAILED;
	get_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
	get_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
	link->u.pLayerInfo = link->u.pLayerInfo->pNext;
	result = ((PFN_vkCreateDevice)get_instance(
		the_instance, "vkCreateDevice"))(gpu, info, allocator, device);
	if (result == VK_SUCCESS)
		add_next(*device, NULL, get_device);
	return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL
enumerate_extensions(VkPhysicalDevice gpu, const char *layer, uint32_t *count,
		     VkExtensionProperties *properties)
{
	PFN_vkEnumerateDeviceExtensionProperties next =
		OF_INSTANCE(gpu, vkEnumerateDeviceExtensionProperties);
	VkResult result = next(gpu, layer, count, properties);
	uint32_t kept = 0;

	if (!properties || !kind.lacks)
		return result;
	for (uint32_t i = 0; i < *count; i++)
		if (strcmp(properties[i].extensionName, kind.lacks) != 0)
			properties[kept++] = properties[i];
	*count = kept;
	return result;
}

static void change_properties(VkPhysicalDeviceProperties *properties)
{
	properties->deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
	properties->vendorID = kind.vendor;
	strncpy(properties->deviceName, kind.name,
		sizeof(properties->deviceName) - 1);
}

static VKAPI_ATTR void VKAPI_CALL
get_properties(VkPhysicalDevice gpu, VkPhysicalDeviceProperties *properties)
{
	OF_INSTANCE(gpu, vkGetPhysicalDeviceProperties)(gpu, properties);
	change_properties(properties);
}

static VKAPI_ATTR void VKAPI_CALL
get_properties2(VkPhysicalDevice gpu, VkPhysicalDeviceProperties2 *properties)
{
	OF_INSTANCE(gpu, vkGetPhysicalDeviceProperties2)(gpu, properties);
	change_properties(&properties->properties);
}

static void change_memory(VkPhysicalDeviceMemoryProperties *memory)
{
	*memory = (VkPhysicalDeviceMemoryProperties){
		.memoryTypeCount = kind.n_types,
		.memoryHeapCount = 2,
		.memoryHeaps = {
			[HEAP_HOST] = {HOST_BYTES, 0},
			[HEAP_LOCAL] = {LOCAL_BYTES,
					VK_MEMORY_HEAP_DEVICE_LOCAL_BIT},
		}};
	memcpy(memory->memoryTypes, kind.type, sizeof(kind.type));
}

static VKAPI_ATTR void VKAPI_CALL
get_memory(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties *memory)
{
	(void)gpu;
	change_memory(memory);
}

static VKAPI_ATTR void VKAPI_CALL
get_memory2(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties2 *memory)
{
	OF_INSTANCE(gpu, vkGetPhysicalDeviceMemoryProperties2)(gpu, memory);
	change_memory(&memory->memoryProperties);
}

/* What the driver's only type can hold, all can. */
static void change_requirements(VkMemoryRequirements *requirements)
{
	if (requirements->memoryTypeBits)
		requirements->memoryTypeBits = (1u << kind.n_types) - 1;
}

#define REQUIREMENTS(function, name, Handle)                                   \
	static VKAPI_ATTR void VKAPI_CALL function(                            \
		VkDevice device, Handle handle, VkMemoryRequirements *out)     \
	{                                                                      \
		OF_DEVICE(device, name)(device, handle, out);                  \
		change_requirements(out);                                      \
	}
#define REQUIREMENTS2(function, name, Info)                                    \
	static VKAPI_ATTR void VKAPI_CALL function(                            \
		VkDevice device, const Info *info, VkMemoryRequirements2 *out) \
	{                                                                      \
		OF_DEVICE(device, name)(device, info, out);                    \
		change_requirements(&out->memoryRequirements);                 \
	}
REQUIREMENTS(buffer_needs, vkGetBufferMemoryRequirements, VkBuffer)
REQUIREMENTS(image_needs, vkGetImageMemoryRequirements, VkImage)
REQUIREMENTS2(buffer_needs2, vkGetBufferMemoryRequirements2,
	      VkBufferMemoryRequirementsInfo2)
REQUIREMENTS2(image_needs2, vkGetImageMemoryRequirements2,
	      VkImageMemoryRequirementsInfo2)
REQUIREMENTS2(device_buffer_needs, vkGetDeviceBufferMemoryRequirements,
	      VkDeviceBufferMemoryRequirements)
REQUIREMENTS2(device_image_needs, vkGetDeviceImageMemoryRequirements,
	      VkDeviceImageMemoryRequirements)

static VKAPI_ATTR VkResult VKAPI_CALL
get_pointer_types(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
		  const void *pointer, VkMemoryHostPointerPropertiesEXT *out)
{
	(void)device;
	(void)type;
	(void)pointer;
	out->memoryTypeBits = kind.pointer_types;
	return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL
get_fd_types(VkDevice device, VkExternalMemoryHandleTypeFlagBits type, int fd,
	     VkMemoryFdPropertiesKHR *out)
{
	VkResult result = OF_DEVICE(device, vkGetMemoryFdPropertiesKHR)(
		device, type, fd, out);

	out->memoryTypeBits = kind.dmabuf_types;
	return result;
}

static PFN_vkVoidFunction find_device_function(const void *handle,
					       const char *name)
{
	const struct next *next = find_next(key_of(handle));

	return next->device((VkDevice)next->handle, name);
}

/* What a lost device does: it answers, and carries out nothing. */
#define LOSES(function, name, parameters, ...)                                 \
	static VKAPI_ATTR VkResult VKAPI_CALL function parameters              \
	{                                                                      \
		VkResult result;                                               \
                                                                               \
		if (is_lost(handle))                                           \
			return VK_ERROR_DEVICE_LOST;                           \
		result = ((PFN_##name)find_device_function(handle, #name))(    \
			handle, __VA_ARGS__);                                  \
		return is_lost(handle) ? VK_ERROR_DEVICE_LOST : result;        \
	}
LOSES(submit, vkQueueSubmit,
      (VkQueue handle, uint32_t n, const VkSubmitInfo *infos, VkFence fence), n,
      infos, fence)
LOSES(submit2, vkQueueSubmit2,
      (VkQueue handle, uint32_t n, const VkSubmitInfo2 *infos, VkFence fence),
      n, infos, fence)
LOSES(wait_for_fences, vkWaitForFences,
      (VkDevice handle, uint32_t n, const VkFence *fences, VkBool32 all,
       uint64_t timeout),
      n, fences, all, timeout)
LOSES(get_fence_status, vkGetFenceStatus, (VkDevice handle, VkFence fence), fence)

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_gpus(VkInstance instance,
						     uint32_t *count,
						     VkPhysicalDevice *gpus)
{
	if (fate->is_gone == UNPLUGGED) {
		*count = 0;
		return VK_SUCCESS;
	}
	if (fate->is_gone)
		return VK_ERROR_INITIALIZATION_FAILED;
	return OF_INSTANCE(instance, vkEnumeratePhysicalDevices)(instance,
								 count, gpus);
}

static bool is_in_chain(const VkMemoryAllocateInfo *info, VkStructureType type)
{
	const VkBaseInStructure *s = info->pNext;

	while (s && s->sType != type)
		s = s->pNext;
	return s;
}

static bool take_local(uint64_t bytes)
{
	bool fits;

	pthread_mutex_lock(&lock);
	fits = bytes <= LOCAL_BYTES - used_bytes;
	used_bytes += fits ? bytes : 0;
	pthread_mutex_unlock(&lock);
	return fits;
}

static VKAPI_ATTR VkResult VKAPI_CALL
allocate(VkDevice device, const VkMemoryAllocateInfo *told,
	 const VkAllocationCallbacks *allocator, VkDeviceMemory *memory)
{
	const VkStructureType pointer =
		VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
	const VkStructureType file = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR;
	bool has_pointer = is_in_chain(told, pointer);
	bool has_file = is_in_chain(told, file);
	VkMemoryAllocateInfo info = *told;
	struct on_gpu *on_gpu;
	bool is_local;
	VkResult result;

	if (told->memoryTypeIndex >= kind.n_types)
		abort();
	/* Each pointer that we are given is one into a file. */
	if (has_pointer && (!kind.takes_files ||
			    !(kind.pointer_types & 1u << told->memoryTypeIndex)))
		return VK_ERROR_INVALID_EXTERNAL_HANDLE;
	if (has_file && !(kind.dmabuf_types & 1u << told->memoryTypeIndex))
		return VK_ERROR_INVALID_EXTERNAL_HANDLE;
	is_local = !has_pointer && !has_file &&
		   kind.type[told->memoryTypeIndex].heapIndex == HEAP_LOCAL;
	on_gpu = calloc(1, sizeof(*on_gpu));
	if (!on_gpu || (is_local && !take_local(told->allocationSize))) {
		free(on_gpu);
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	}
	info.memoryTypeIndex = 0;
	result = OF_DEVICE(device, vkAllocateMemory)(device, &info, allocator,
						     memory);
	on_gpu->bytes = is_local ? told->allocationSize : 0;
	pthread_mutex_lock(&lock);
	if (result == VK_SUCCESS && is_local) {
		on_gpu->memory = *memory;
		on_gpu->other = all_on_gpu;
		all_on_gpu = on_gpu;
		on_gpu = NULL;
	} else {
		used_bytes -= on_gpu->bytes;
	}
	pthread_mutex_unlock(&lock);
	free(on_gpu);
	return result;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device,
					      VkDeviceMemory memory,
					      const VkAllocationCallbacks *allocator)
{
	struct on_gpu **place, *found;

	pthread_mutex_lock(&lock);
	place = &all_on_gpu;
	while (*place && (*place)->memory != memory)
		place = &(*place)->other;
	found = *place;
	if (found) {
		used_bytes -= found->bytes;
		*place = found->other;
	}
	pthread_mutex_unlock(&lock);
	free(found);
	OF_DEVICE(device, vkFreeMemory)(device, memory, allocator);
}

static PFN_vkVoidFunction find_own(const char *name)
{
#define OWN(name, function) {name, (PFN_vkVoidFunction)(function)}
	static const struct {
		const char *name;
		PFN_vkVoidFunction function;
	} own[] = {
		OWN("vkCreateInstance", create_instance),
		OWN("vkEnumeratePhysicalDevices", enumerate_gpus),
		OWN("vkQueueSubmit", submit),
		OWN("vkQueueSubmit2", submit2),
		OWN("vkWaitForFences", wait_for_fences),
		OWN("vkGetFenceStatus", get_fence_status),
		OWN("vkCreateDevice", create_device),
		OWN("vkEnumerateDeviceExtensionProperties", enumerate_extensions),
		OWN("vkGetPhysicalDeviceProperties", get_properties),
		OWN("vkGetPhysicalDeviceProperties2", get_properties2),
		OWN("vkGetPhysicalDeviceMemoryProperties", get_memory),
		OWN("vkGetPhysicalDeviceMemoryProperties2", get_memory2),
		OWN("vkGetBufferMemoryRequirements", buffer_needs),
		OWN("vkGetImageMemoryRequirements", image_needs),
		OWN("vkGetBufferMemoryRequirements2", buffer_needs2),
		OWN("vkGetImageMemoryRequirements2", image_needs2),
		OWN("vkGetDeviceBufferMemoryRequirements", device_buffer_needs),
		OWN("vkGetDeviceImageMemoryRequirements", device_image_needs),
		OWN("vkGetMemoryHostPointerPropertiesEXT", get_pointer_types),
		OWN("vkGetMemoryFdPropertiesKHR", get_fd_types),
		OWN("vkAllocateMemory", allocate),
		OWN("vkFreeMemory", free_memory),
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i].name) == 0)
			return own[i].function;
	return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
get_device_function(VkDevice device, const char *name);

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
get_instance_function(VkInstance instance, const char *name)
{
	PFN_vkVoidFunction own = find_own(name);

	if (own)
		return own;
	if (strcmp(name, "vkGetInstanceProcAddr") == 0)
		return (PFN_vkVoidFunction)get_instance_function;
	if (strcmp(name, "vkGetDeviceProcAddr") == 0)
		return (PFN_vkVoidFunction)get_device_function;
	return instance ? find_next(key_of(instance))->instance(instance, name)
			: NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
get_device_function(VkDevice device, const char *name)
{
	PFN_vkVoidFunction real = find_next(key_of(device))->device(device, name);
	PFN_vkVoidFunction own = real ? find_own(name) : NULL;

	if (strcmp(name, "vkGetDeviceProcAddr") == 0)
		return (PFN_vkVoidFunction)get_device_function;
	return own ? own : real;
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version)
{
	version->loaderLayerInterfaceVersion = 2;
	version->pfnGetInstanceProcAddr = get_instance_function;
	version->pfnGetDeviceProcAddr = get_device_function;
	version->pfnGetPhysicalDeviceProcAddr = NULL;
	return VK_SUCCESS;
}
