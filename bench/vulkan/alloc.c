/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a piece of device memory takes that is allocated, mapped, written to and
 * freed: the same size again and again, and sizes that never return.
 */
#include <string.h>

#include "tests/render/vtest/program.h"

#define RUNS	  200u
#define MIB	  (1024ULL * 1024)
#define DIFFERENT 4096u /* by which each of the others is larger */

static uint64_t run(const struct program *p, uint32_t type, VkDeviceSize bytes)
{
	const VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = bytes,
		.memoryTypeIndex = type,
	};
	const uint64_t start = program_now_ns();
	VkDeviceMemory memory;
	void *map;

	program_check(vkAllocateMemory(p->device, &info, NULL, &memory));
	program_check(vkMapMemory(p->device, memory, 0, bytes, 0, &map));
	memset(map, 1, bytes);
	vkUnmapMemory(p->device, memory);
	vkFreeMemory(p->device, memory, NULL);
	return program_now_ns() - start;
}

int main(void)
{
	static uint64_t same[RUNS], large[RUNS], different[RUNS];
	struct program p;
	uint32_t type;

	program_init(&p);
	type = program_memory_type(&p, UINT32_MAX,
				   VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
	for (uint32_t i = 0; i < RUNS; i++) {
		same[i] = run(&p, type, MIB);
		large[i] = run(&p, type, 8 * MIB);
		different[i] = run(&p, type, MIB + (i + 1) * DIFFERENT);
	}
	printf("{\"program\": \"alloc\", \"same_p50_us\": %.1f,"
	       " \"large_p50_us\": %.1f, \"different_p50_us\": %.1f}\n",
	       (double)program_percentile(same, RUNS, 50) / 1000,
	       (double)program_percentile(large, RUNS, 50) / 1000,
	       (double)program_percentile(different, RUNS, 50) / 1000);
	program_finish(&p);
	return 0;
}
