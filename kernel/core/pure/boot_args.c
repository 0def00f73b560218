// SPDX-License-Identifier: GPL-2.0-or-later
/* What the GSP is given to read when it starts: regions, and its registry. */
#include "boot_args.h"

/* The characters of the name are the digits, the first one the highest. */
static u64 boot_args_libos_id(const char *name)
{
	u64 id = 0;
	u32 i;

	for (i = 0; i < sizeof(id) && name[i]; i++)
		id = id << 8 | (u8)name[i];
	return id;
}

void vgpu_libos_put(struct vgpu_libos_region *page, u32 index, const char *name,
		    u64 address, u64 size)
{
	page[index] = (struct vgpu_libos_region){
		.id = boot_args_libos_id(name),
		.address = address,
		.size = size,
		.kind = VGPU_LIBOS_CONTIGUOUS,
		.location = VGPU_LIBOS_SYSMEM,
	};
}

int vgpu_registry_build(const struct vgpu_registry_value *values, u32 count,
			void *buffer, u32 capacity, u32 *ret_bytes)
{
	struct vgpu_registry_table *table = buffer;
	u64 at = sizeof(*table) + (u64)count * sizeof(table->entries[0]);
	u32 i;

	if (at > capacity)
		return -ENOSPC;
	for (i = 0; i < count; i++) {
		size_t bytes = strlen(values[i].name) + 1;

		if (!vgpu_is_inside(at, bytes, capacity))
			return -ENOSPC;
		table->entries[i] = (struct vgpu_registry_entry){
			.name_offset = (u32)at,
			.type = VGPU_REGISTRY_DWORD,
			.data = values[i].value,
			.length = sizeof(u32),
		};
		memcpy((u8 *)buffer + at, values[i].name, bytes);
		at += bytes;
	}
	table->size = (u32)at;
	table->entry_count = count;
	*ret_bytes = (u32)at;
	return 0;
}
