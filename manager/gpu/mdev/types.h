/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of mediated devices that a GPU's own driver has, by what it says of them. */
#ifndef VGPU_MANAGER_GPU_MDEV_TYPES_H
#define VGPU_MANAGER_GPU_MDEV_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "lib/type.h"

struct vgpu_mdev_types {
	struct vgpu_type *types;
	char (*folders)[VGPU_MDEV_TYPE_SIZE]; /* the driver's name of each */
	size_t count;
};

/*
 * Read those of the folder @parent. What a description does not say of a type
 * is 0. Only what is a PCI device for a virtual machine counts.
 */
int vgpu_mdev_types_read(int sysfs, const char *parent,
			 struct vgpu_mdev_types *ret_types);
void vgpu_mdev_types_finish(struct vgpu_mdev_types *types); /* zeroed is fine */

/* How many more of number @i can be made now. */
uint64_t vgpu_mdev_types_available(const struct vgpu_mdev_types *types,
				   size_t i, int sysfs, const char *parent);

/*
 * What @description, a driver's text about one type, says; all else of @type
 * stays. GVT-g's has lines as "resolution: 1920x1200", NVIDIA's one line as
 * "num_heads=4, framebuffer=1024M".
 */
void vgpu_mdev_types_describe(const char *description, struct vgpu_type *type);

#endif
