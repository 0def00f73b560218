/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Vulkan programs of the tests and benchmarks have in common. */
#include "program.h"

#include <time.h>

#define QUEUE_FAMILIES_MAX 16
#define WAIT_NS		   60000000000ULL

static uint32_t choose_family(const struct program *p)
{
	const VkQueueFlags wanted = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
	VkQueueFamilyProperties families[QUEUE_FAMILIES_MAX];
	uint32_t n = QUEUE_FAMILIES_MAX;

	vkGetPhysicalDeviceQueueFamilyProperties(p->gpu, &n, families);
	for (uint32_t i = 0; i < n; i++)
		if ((families[i].queueFlags & wanted) == wanted)
			return i;
	program_die("no queue does graphics and compute");
}

void program_init(struct program *p)
{
	program_init_with(p, VK_API_VERSION_1_1, NULL);
}

void program_init_with(struct program *p, uint32_t api_version,
		       const void *features)
{
	const VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "OpenVGPU",
		.apiVersion = api_version,
	};
	const VkInstanceCreateInfo instance_info = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
		.pApplicationInfo = &app,
	};
	const float priority = 1.0f;
	VkDeviceQueueCreateInfo queue_info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	const VkDeviceCreateInfo device_info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.pNext = features,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue_info,
	};
	VkCommandPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
		.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
	};
	uint32_t n = 1;
	VkResult r;

	*p = (struct program){};
	program_check(vkCreateInstance(&instance_info, NULL, &p->instance));
	r = vkEnumeratePhysicalDevices(p->instance, &n, &p->gpu);
	if ((r != VK_SUCCESS && r != VK_INCOMPLETE) || n == 0)
		program_die("no GPU: VkResult %d, %u devices", r, n);
	vkGetPhysicalDeviceMemoryProperties(p->gpu, &p->memory);
	p->family = choose_family(p);
	queue_info.queueFamilyIndex = p->family;
	program_check(vkCreateDevice(p->gpu, &device_info, NULL, &p->device));
	vkGetDeviceQueue(p->device, p->family, 0, &p->queue);
	pool_info.queueFamilyIndex = p->family;
	program_check(vkCreateCommandPool(p->device, &pool_info, NULL, &p->pool));
}

void program_finish(struct program *p)
{
	vkDestroyCommandPool(p->device, p->pool, NULL);
	vkDestroyDevice(p->device, NULL);
	vkDestroyInstance(p->instance, NULL);
	*p = (struct program){};
}

uint32_t program_memory_type(const struct program *p, uint32_t types,
			     VkMemoryPropertyFlags flags)
{
	for (uint32_t i = 0; i < p->memory.memoryTypeCount; i++)
		if (types & (1U << i) &&
		    (p->memory.memoryTypes[i].propertyFlags & flags) == flags)
			return i;
	program_die("no memory type of 0x%x has 0x%x", types, flags);
}

VkDeviceMemory program_allocate(const struct program *p,
				const VkMemoryRequirements *needs,
				VkMemoryPropertyFlags flags)
{
	const VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = needs->size,
		.memoryTypeIndex =
			program_memory_type(p, needs->memoryTypeBits, flags),
	};
	VkDeviceMemory memory;

	program_check(vkAllocateMemory(p->device, &info, NULL, &memory));
	return memory;
}

void program_buffer_init(const struct program *p, struct program_buffer *b,
			 VkDeviceSize bytes, VkBufferUsageFlags usage)
{
	const VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = bytes,
		.usage = usage,
	};
	VkMemoryRequirements needs;

	program_check(vkCreateBuffer(p->device, &info, NULL, &b->buffer));
	vkGetBufferMemoryRequirements(p->device, b->buffer, &needs);
	b->memory =
		program_allocate(p, &needs,
				 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
					 VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
	program_check(vkBindBufferMemory(p->device, b->buffer, b->memory, 0));
	program_check(vkMapMemory(p->device, b->memory, 0, VK_WHOLE_SIZE, 0,
				  &b->map));
}

void program_buffer_finish(const struct program *p, struct program_buffer *b)
{
	vkDestroyBuffer(p->device, b->buffer, NULL);
	vkFreeMemory(p->device, b->memory, NULL);
	*b = (struct program_buffer){};
}

VkShaderModule program_shader(const struct program *p, const uint32_t *code,
			      size_t bytes)
{
	const VkShaderModuleCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
		.codeSize = bytes,
		.pCode = code,
	};
	VkShaderModule shader;

	program_check(vkCreateShaderModule(p->device, &info, NULL, &shader));
	return shader;
}

void program_command_buffers(const struct program *p, VkCommandBufferLevel level,
			     uint32_t n, VkCommandBuffer *ret_buffers)
{
	const VkCommandBufferAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.commandPool = p->pool,
		.level = level,
		.commandBufferCount = n,
	};

	program_check(vkAllocateCommandBuffers(p->device, &info, ret_buffers));
}

VkFence program_fence(const struct program *p)
{
	const VkFenceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
	};
	VkFence fence;

	program_check(vkCreateFence(p->device, &info, NULL, &fence));
	return fence;
}

void program_run(const struct program *p, VkCommandBuffer commands, VkFence fence)
{
	const VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = 1,
		.pCommandBuffers = &commands,
	};

	program_check(vkQueueSubmit(p->queue, 1, &submit, fence));
	program_check(vkWaitForFences(p->device, 1, &fence, VK_TRUE, WAIT_NS));
	program_check(vkResetFences(p->device, 1, &fence));
}

uint64_t program_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

uint64_t program_percentile(uint64_t *times, size_t n, unsigned int percent)
{
	qsort(times, n, sizeof(times[0]), compare);
	return times[(n - 1) * percent / 100];
}
