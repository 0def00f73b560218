// SPDX-License-Identifier: GPL-2.0-or-later
/* Which GPU it is, as its own register says. */
#include "chip.h"

/* Ada, with a GSP that runs firmware of the ad10x kind. */
static const struct vgpu_chip chips[] = {
	{0x192, "AD102", "ad102"}, {0x193, "AD103", "ad103"},
	{0x194, "AD104", "ad104"}, {0x196, "AD106", "ad106"},
	{0x197, "AD107", "ad107"},
};

const struct vgpu_chip *vgpu_chip_find(u32 boot_0)
{
	u32 id = boot_0 >> 20 & 0x1ff, i;

	if (boot_0 == U32_MAX)
		return NULL;
	for (i = 0; i < VGPU_COUNT_OF(chips); i++)
		if (chips[i].id == id)
			return &chips[i];
	return NULL;
}
