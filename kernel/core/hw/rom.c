// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the VBIOS out of the board's ROM. */
#include <linux/mm.h>

#include "hw.h"
#include "regs.h"

/* The ROM is slow: no more is read than its images take. */
#define FIRST_BYTES 0x20000

static_assert(REG_PROM_BYTES == VGPU_VBIOS_BYTES_MAX, "the ROM's window");

static void rom_read(struct vgpu_hw *hw, u8 *rom, u32 from, u32 to)
{
	u32 at;

	for (at = from; at < to; at += sizeof(u32))
		vgpu_put_le32(rom + at, vgpu_hw_read(hw, REG_PROM + at));
}

int vgpu_hw_read_vbios(struct vgpu_hw *hw)
{
	u8 *rom = kvmalloc(REG_PROM_BYTES, GFP_KERNEL);
	u32 bytes = 0, next = FIRST_BYTES;
	int rc;

	if (!rom)
		return -ENOMEM;
	do {
		rom_read(hw, rom, bytes, next);
		bytes = next;
		next *= 2;
		rc = vgpu_vbios_parse(&hw->vbios, rom, bytes);
	} while (rc && bytes < REG_PROM_BYTES);
	if (rc == 0)
		rc = vgpu_vbios_find_fwsec(&hw->vbios, &hw->fwsec);
	if (rc) {
		pci_err(hw->pdev, "the VBIOS has %s: %d\n",
			rc == -ENOENT ? "no FWSEC that can be run"
				      : "no sound images",
			rc);
		kvfree(rom);
		return rc;
	}
	hw->rom = rom;
	return 0;
}

void vgpu_hw_drop_vbios(struct vgpu_hw *hw)
{
	kvfree(hw->rom);
	hw->rom = NULL;
}
