// SPDX-License-Identifier: GPL-2.0-or-later
/* The GPU's memory by a window in BAR0, and the TLBs of its MMU. */
#include "vram.h"

#include <linux/iopoll.h>
#include <linux/lockdep.h>

#include "regs.h"

#define INVALIDATE_US	   2000000
#define INVALIDATE_POLL_US 10

/* Where @address is in BAR0; the window stays there under the lock. */
static u32 vram_move_window(struct vgpu_hw *hw, u64 address)
{
	u64 base = address & ~(u64)(REG_PRAMIN_BYTES - 1);

	lockdep_assert_held(&hw->vram_lock);
	vgpu_hw_write(hw, REG_BAR0_WINDOW, (u32)(base >> REG_BAR0_WINDOW_SHIFT));
	return REG_PRAMIN + (u32)(address - base);
}

void vgpu_vram_write32(struct vgpu_hw *hw, u64 address, u32 value)
{
	mutex_lock(&hw->vram_lock);
	vgpu_hw_write(hw, vram_move_window(hw, address), value);
	mutex_unlock(&hw->vram_lock);
}

void vgpu_vram_write_entry(struct vgpu_hw *hw, u64 address, u64 entry)
{
	u32 at;

	mutex_lock(&hw->vram_lock);
	at = vram_move_window(hw, address);
	if (!entry)
		vgpu_hw_write(hw, at, 0);
	vgpu_hw_write(hw, at + 4, upper_32_bits(entry));
	if (entry)
		vgpu_hw_write(hw, at, lower_32_bits(entry));
	mutex_unlock(&hw->vram_lock);
}

void vgpu_vram_zero(struct vgpu_hw *hw, u64 address, u64 bytes)
{
	u64 done;

	mutex_lock(&hw->vram_lock);
	for (done = 0; done < bytes; done += 4)
		vgpu_hw_write(hw, vram_move_window(hw, address + done), 0);
	mutex_unlock(&hw->vram_lock);
}

void vgpu_vram_flush(struct vgpu_hw *hw, u64 address)
{
	mutex_lock(&hw->vram_lock);
	vgpu_hw_read(hw, vram_move_window(hw, address));
	mutex_unlock(&hw->vram_lock);
}

int vgpu_vram_invalidate(struct vgpu_hw *hw, u64 directory, bool is_hub_only)
{
	u32 command = REG_MMU_INVALIDATE_ALL_VA | REG_MMU_INVALIDATE_TRIGGER;
	u32 value;
	int rc;

	if (is_hub_only)
		command |= REG_MMU_INVALIDATE_HUB_ONLY;
	mutex_lock(&hw->vram_lock);
	vgpu_hw_write(hw, REG_MMU_INVALIDATE_PDB,
		      (u32)(directory >> REG_MMU_INVALIDATE_PDB_SHIFT));
	vgpu_hw_write(hw, REG_MMU_INVALIDATE_UPPER_PDB,
		      (u32)(directory >> REG_MMU_INVALIDATE_UPPER_PDB_SHIFT));
	vgpu_hw_write(hw, REG_MMU_INVALIDATE, command);
	rc = read_poll_timeout(vgpu_hw_read, value,
			       !(value & REG_MMU_INVALIDATE_TRIGGER),
			       INVALIDATE_POLL_US, INVALIDATE_US, false, hw,
			       REG_MMU_INVALIDATE);
	mutex_unlock(&hw->vram_lock);
	if (rc)
		pci_err(hw->pdev, "the MMU's TLBs are not invalidated: %d\n", rc);
	return rc;
}
