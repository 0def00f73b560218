// SPDX-License-Identifier: GPL-2.0-or-later
/* The firmware versions that there are tables for. */
#include "abi.h"

static const struct vgpu_abi *const tables[] = {
	&vgpu_abi_r570_144,
};

static bool abi_has_graphics(const struct vgpu_host_engines *list, u32 runlist)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		if (list->engines[i].is_graphics &&
		    list->engines[i].runlist == runlist)
			return true;
	return false;
}

const struct vgpu_host_engine *
vgpu_host_engines_pick_copy(const struct vgpu_host_engines *list)
{
	const struct vgpu_host_engine *picked = NULL;
	u32 i;

	for (i = 0; i < list->count; i++) {
		if (!list->engines[i].is_copy)
			continue;
		if (!abi_has_graphics(list, list->engines[i].runlist))
			return &list->engines[i];
		if (!picked)
			picked = &list->engines[i];
	}
	return picked;
}
VGPU_EXPORT(vgpu_host_engines_pick_copy);

const struct vgpu_abi *vgpu_abi_find(const char *version)
{
	u32 i;

	for (i = 0; i < VGPU_COUNT_OF(tables); i++)
		if (strcmp(tables[i]->version, version) == 0)
			return tables[i];
	return NULL;
}
VGPU_EXPORT(vgpu_abi_find);
