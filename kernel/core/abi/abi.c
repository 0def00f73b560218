// SPDX-License-Identifier: GPL-2.0-or-later
/* The firmware versions that there are tables for. */
#include "abi.h"

static const struct vgpu_abi *const tables[] = {
	&vgpu_abi_r570_144,
};

const struct vgpu_abi *vgpu_abi_find(const char *version)
{
	u32 i;

	for (i = 0; i < VGPU_COUNT_OF(tables); i++)
		if (strcmp(tables[i]->version, version) == 0)
			return tables[i];
	return NULL;
}
