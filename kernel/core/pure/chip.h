/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which GPU it is, as its own register says. */
#ifndef VGPU_KERNEL_CORE_PURE_CHIP_H
#define VGPU_KERNEL_CORE_PURE_CHIP_H

#include "port.h"

#define VGPU_BOOT_0 0x000000 /* in BAR0 */

struct vgpu_chip {
	u32 id;
	const char *name;
	const char *firmware; /* the folder of its firmware files */
};

/*
 * The chip that says @boot_0, or NULL: another one, or a device that is gone,
 * whose registers all read ~0.
 */
const struct vgpu_chip *vgpu_chip_find(u32 boot_0);

/* As it is written: 0xa1 is A1. */
static inline u32 vgpu_chip_revision(u32 boot_0)
{
	return boot_0 & 0xff;
}

#endif
