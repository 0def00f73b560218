/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the GSP is given to read when it starts: regions, and its registry. */
#ifndef VGPU_KERNEL_CORE_PURE_BOOT_ARGS_H
#define VGPU_KERNEL_CORE_PURE_BOOT_ARGS_H

#include "kernel/core/abi/rm_abi.h"

#define VGPU_LIBOS_REGIONS_MAX 128 /* as many as a page has room for */

/*
 * Entry @index of @page, which is 0 behind its last entry. @name has 8
 * characters at most.
 */
void vgpu_libos_put(struct vgpu_libos_region *page, u32 index, const char *name,
		    u64 address, u64 size);

struct vgpu_registry_value {
	const char *name;
	u32 value;
};

/*
 * Write the table of @values into @buffer. -ENOSPC: it has no room.
 * @ret_bytes: how many it took.
 */
int vgpu_registry_build(const struct vgpu_registry_value *values, u32 count,
			void *buffer, u32 capacity, u32 *ret_bytes);

#endif
