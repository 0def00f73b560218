/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory MIB [TAKEN]: types and heaps are as a guest may see them, each type
 * can be had until MIB MiB are gone, and no further, of which TAKEN may be
 * somebody else's, and what is copied through a buffer in each of them comes
 * back. Prints the types' flags and how many pieces were had.
 */
#include <stdbool.h>
#include <string.h>

#include "tests/render/vtest/program.h"

#define MIB	   (1024ULL * 1024)
#define PIECE	   (16 * MIB)
#define PIECES_MAX 1024
#define BYTES	   (256 * 1024)

static VkResult allocate(const struct program *p, uint32_t type,
			 VkDeviceSize bytes, VkDeviceMemory *ret_memory)
{
	const VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = bytes,
		.memoryTypeIndex = type,
	};

	return vkAllocateMemory(p->device, &info, NULL, ret_memory);
}

/* How many pieces there are of @type. */
static uint32_t fill(const struct program *p, uint32_t type)
{
	static VkDeviceMemory memory[PIECES_MAX];
	uint32_t n = 0, i;
	VkResult r;

	do {
		r = allocate(p, type, PIECE, &memory[n]);
		n += r == VK_SUCCESS;
	} while (r == VK_SUCCESS && n < PIECES_MAX);
	if (r != VK_ERROR_OUT_OF_DEVICE_MEMORY)
		program_die("type %u, after %u pieces: VkResult %d", type, n, r);
	for (i = 0; i < n; i++)
		vkFreeMemory(p->device, memory[i], NULL);
	return n;
}

/* Vulkan 1.3, VkMemoryType: order, and which flags may be together. */
static void check_types(const struct program *p)
{
	const VkPhysicalDeviceMemoryProperties *m = &p->memory;
	bool has_local = false, has_mapped = false;

	for (uint32_t i = 0; i < m->memoryTypeCount; i++) {
		VkMemoryPropertyFlags flags = m->memoryTypes[i].propertyFlags;
		const VkMemoryHeap *heap =
			&m->memoryHeaps[m->memoryTypes[i].heapIndex];
		bool is_local = flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;

		if (flags & ~15u || flags == 0)
			program_die("type %u has flags 0x%x", i, flags);
		if (m->memoryTypes[i].heapIndex >= m->memoryHeapCount ||
		    is_local != !!(heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT))
			program_die("type %u is in the wrong heap", i);
		for (uint32_t k = 0; k < i; k++) {
			VkMemoryPropertyFlags before =
				m->memoryTypes[k].propertyFlags;

			if (before != flags && (before & flags) == flags)
				program_die("type %u is a part of %u", i, k);
		}
		has_local |= is_local;
		has_mapped |= flags == 14 || flags == 15;
	}
	if (!has_local || !has_mapped)
		program_die("no type on the GPU, or none to be mapped");
}

static VkBuffer create_buffer(const struct program *p)
{
	const VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = BYTES,
		.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
			 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkBuffer buffer;

	program_check(vkCreateBuffer(p->device, &info, NULL, &buffer));
	return buffer;
}

static void copy(const struct program *p, VkBuffer from, VkBuffer to)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	const VkBufferCopy region = {.size = BYTES};
	VkFence fence = program_fence(p);
	VkCommandBuffer commands;

	program_command_buffers(p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1, &commands);
	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdCopyBuffer(commands, from, to, 1, &region);
	program_check(vkEndCommandBuffer(commands));
	program_run(p, commands, fence);
	vkDestroyFence(p->device, fence, NULL);
	vkFreeCommandBuffers(p->device, p->pool, 1, &commands);
}

static uint8_t byte_at(size_t i, uint32_t type)
{
	return (uint8_t)(i * 7 + (i >> 9) + type);
}

/* To @type and back. */
static void check_copies(const struct program *p, uint32_t type)
{
	VkBufferUsageFlags usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
				   VK_BUFFER_USAGE_TRANSFER_DST_BIT;
	VkBuffer between = create_buffer(p);
	struct program_buffer from, to;
	VkMemoryRequirements needs;
	VkDeviceMemory memory;

	vkGetBufferMemoryRequirements(p->device, between, &needs);
	if (needs.memoryTypeBits >> p->memory.memoryTypeCount)
		program_die("requirements name types that are not there: 0x%x",
			    needs.memoryTypeBits);
	if (!(needs.memoryTypeBits & 1u << type))
		program_die("no buffer can be of type %u", type);
	program_buffer_init(p, &from, BYTES, usage);
	program_buffer_init(p, &to, BYTES, usage);
	program_check(allocate(p, type, needs.size, &memory));
	program_check(vkBindBufferMemory(p->device, between, memory, 0));
	for (size_t i = 0; i < BYTES; i++)
		((uint8_t *)from.map)[i] = byte_at(i, type);
	memset(to.map, 0, BYTES);
	copy(p, from.buffer, between);
	copy(p, between, to.buffer);
	for (size_t i = 0; i < BYTES; i++)
		if (((uint8_t *)to.map)[i] != byte_at(i, type))
			program_die("type %u: byte %zu is 0x%x", type, i,
				    ((uint8_t *)to.map)[i]);
	vkDestroyBuffer(p->device, between, NULL);
	vkFreeMemory(p->device, memory, NULL);
	program_buffer_finish(p, &from);
	program_buffer_finish(p, &to);
}

/* A host-visible type can be mapped, and no other. */
static void check_map(const struct program *p, uint32_t type)
{
	VkMemoryPropertyFlags flags = p->memory.memoryTypes[type].propertyFlags;
	VkDeviceMemory memory;
	uint8_t *map;

	if (!(flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT))
		return;
	program_check(allocate(p, type, PIECE, &memory));
	program_check(vkMapMemory(p->device, memory, 0, PIECE, 0, (void **)&map));
	for (size_t i = 0; i < PIECE; i += 509)
		if (map[i])
			program_die("new memory has 0x%x", map[i]);
	memset(map, 0x5a, PIECE);
	vkUnmapMemory(p->device, memory);
	vkFreeMemory(p->device, memory, NULL);
}

int main(int argc, char **argv)
{
	struct program p;
	uint64_t quota, taken;

	if (argc != 2 && argc != 3) {
		fputs("usage: memory MIB [TAKEN]\n", stderr);
		return 2;
	}
	quota = strtoull(argv[1], NULL, 10) * MIB;
	taken = argc == 3 ? strtoull(argv[2], NULL, 10) * MIB : 0;
	program_init(&p);
	check_types(&p);
	printf("{\"heaps\": [");
	for (uint32_t i = 0; i < p.memory.memoryHeapCount; i++)
		printf("%s%llu", i ? ", " : "",
		       (unsigned long long)(p.memory.memoryHeaps[i].size / MIB));
	printf("], \"types\": [");
	for (uint32_t i = 0; i < p.memory.memoryTypeCount; i++) {
		uint32_t n;

		check_map(&p, i);
		check_copies(&p, i);
		n = fill(&p, i);
		if (n * PIECE > quota || (n + 2) * PIECE + taken < quota)
			program_die("type %u: %u pieces of 16 MiB", i, n);
		printf("%s[%u, %u]", i ? ", " : "",
		       p.memory.memoryTypes[i].propertyFlags, n);
	}
	puts("]}");
	program_finish(&p);
	return 0;
}
