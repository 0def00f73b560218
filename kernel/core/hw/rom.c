// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the VBIOS out of the board's ROM. */
#include <linux/mm.h>

#include "kernel/core/core.h"
#include "regs.h"

/* The ROM is slow: no more is read than its images take. */
#define FIRST_BYTES 0x20000

static_assert(REG_PROM_BYTES == VGPU_VBIOS_BYTES_MAX, "the ROM's window");

static void read_rom(struct vgpu_core *core, u8 *rom, u32 from, u32 to)
{
	u32 at;

	for (at = from; at < to; at += sizeof(u32))
		vgpu_put_le32(rom + at, vgpu_core_read(core, REG_PROM + at));
}

int vgpu_core_read_vbios(struct vgpu_core *core)
{
	u8 *rom = kvmalloc(REG_PROM_BYTES, GFP_KERNEL);
	u32 bytes = 0, next = FIRST_BYTES;
	int rc;

	if (!rom)
		return -ENOMEM;
	do {
		read_rom(core, rom, bytes, next);
		bytes = next;
		next *= 2;
		rc = vgpu_vbios_parse(&core->vbios, rom, bytes);
	} while (rc && bytes < REG_PROM_BYTES);
	if (rc == 0)
		rc = vgpu_vbios_find_fwsec(&core->vbios, &core->fwsec);
	if (rc) {
		pci_err(core->pdev, "the VBIOS has %s: %d\n",
			rc == -ENOENT ? "no FWSEC that can be run"
				      : "no sound images",
			rc);
		kvfree(rom);
		return rc;
	}
	core->rom = rom;
	return 0;
}

void vgpu_core_drop_vbios(struct vgpu_core *core)
{
	kvfree(core->rom);
	core->rom = NULL;
}
