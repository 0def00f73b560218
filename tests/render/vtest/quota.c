/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota MIB [TAKEN]: the heap is of so many MiB, that much can be allocated
 * and no more, what is freed can be had again, and new memory is nobody else's.
 * As much as TAKEN MiB of it may be a desktop's.
 */
#include <stdbool.h>
#include <string.h>

#include "tests/render/vtest/program.h"

#define MIB	   (1024ULL * 1024)
#define PIECE	   (16 * MIB)
#define PIECES_MAX 4096u
#define BYTE	   0x5a

struct pieces {
	struct program program;
	uint32_t type;
	uint32_t n;
	VkDeviceMemory memory[PIECES_MAX];
};

static VkResult allocate(struct pieces *p, VkDeviceSize bytes)
{
	const VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = bytes,
		.memoryTypeIndex = p->type,
	};

	if (p->n == PIECES_MAX)
		program_die("there is no end to the memory");
	return vkAllocateMemory(p->program.device, &info, NULL, &p->memory[p->n]);
}

/* Allocate until there is no more; how many pieces there were. */
static uint32_t fill(struct pieces *p)
{
	VkResult r;

	for (;;) {
		r = allocate(p, PIECE);
		if (r != VK_SUCCESS)
			break;
		p->n++;
	}
	if (r != VK_ERROR_OUT_OF_DEVICE_MEMORY)
		program_die("after %u pieces: VkResult %d", p->n, r);
	return p->n;
}

static void empty(struct pieces *p)
{
	while (p->n > 0)
		vkFreeMemory(p->program.device, p->memory[--p->n], NULL);
}

/*
 * The newest piece is zero, or as it was freed; it is not zero when this is
 * done.
 */
static void check_own(struct pieces *p)
{
	VkDeviceMemory memory = p->memory[p->n - 1];
	VkDevice device = p->program.device;
	uint8_t *bytes;

	program_check(vkMapMemory(device, memory, 0, PIECE, 0, (void **)&bytes));
	for (size_t i = 0; i < PIECE; i++)
		if (bytes[i] != bytes[0] || (bytes[i] && bytes[i] != BYTE))
			program_die("byte %zu of new memory is 0x%x", i,
				    bytes[i]);
	memset(bytes, BYTE, PIECE);
	vkUnmapMemory(device, memory);
}

int main(int argc, char **argv)
{
	static struct pieces p;
	uint64_t heap, quota, taken;
	uint32_t first, again;

	if (argc != 2 && argc != 3) {
		fputs("usage: quota MIB [TAKEN]\n", stderr);
		return 2;
	}
	quota = strtoull(argv[1], NULL, 10) * MIB;
	taken = argc == 3 ? strtoull(argv[2], NULL, 10) * MIB : 0;
	program_init(&p.program);
	p.type = program_memory_type(&p.program, UINT32_MAX,
				     VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
	heap = p.program.memory
		       .memoryHeaps[p.program.memory.memoryTypes[p.type].heapIndex]
		       .size;
	if (heap != quota)
		program_die("the heap has %llu MiB, not %llu",
			    (unsigned long long)(heap / MIB),
			    (unsigned long long)(quota / MIB));

	first = fill(&p);
	/* An allocation may take a little more than was asked for. */
	if (first * PIECE > quota || (first + 1) * PIECE + taken < quota)
		program_die("%u pieces of 16 MiB in %llu MiB", first,
			    (unsigned long long)(quota / MIB));
	if (allocate(&p, quota) != VK_ERROR_OUT_OF_DEVICE_MEMORY)
		program_die("all of it could be allocated a second time");
	empty(&p);

	for (int round = 0; round < 2; round++) {
		while (p.n < first) {
			program_check(allocate(&p, PIECE));
			p.n++;
			check_own(&p);
		}
		again = fill(&p);
		if (again != first)
			program_die("%u pieces, then %u", first, again);
		empty(&p);
	}
	program_finish(&p.program);
	printf("{\"program\": \"quota\", \"pieces\": %u}\n", first);
	return 0;
}
