// SPDX-License-Identifier: GPL-2.0-or-later
/* The GPU's memory by a window in BAR0, and the TLBs of its MMU. */
#include "vram.h"

#include <linux/iopoll.h>
#include <linux/lockdep.h>

#include "regs.h"

#define INVALIDATE_US	   2000000
#define INVALIDATE_POLL_US 10

/* Where @address is in BAR0; the window stays there under the lock. */
static u32 move_window(struct vgpu_core *core, u64 address)
{
	u64 base = address & ~(u64)(REG_PRAMIN_BYTES - 1);

	lockdep_assert_held(&core->vram_lock);
	vgpu_core_write(core, REG_BAR0_WINDOW,
			(u32)(base >> REG_BAR0_WINDOW_SHIFT));
	return REG_PRAMIN + (u32)(address - base);
}

void vgpu_vram_write32(struct vgpu_core *core, u64 address, u32 value)
{
	mutex_lock(&core->vram_lock);
	vgpu_core_write(core, move_window(core, address), value);
	mutex_unlock(&core->vram_lock);
}

void vgpu_vram_write_entry(struct vgpu_core *core, u64 address, u64 entry)
{
	u32 at;

	mutex_lock(&core->vram_lock);
	at = move_window(core, address);
	if (!entry)
		vgpu_core_write(core, at, 0);
	vgpu_core_write(core, at + 4, upper_32_bits(entry));
	if (entry)
		vgpu_core_write(core, at, lower_32_bits(entry));
	mutex_unlock(&core->vram_lock);
}

void vgpu_vram_zero(struct vgpu_core *core, u64 address, u64 bytes)
{
	u64 done;

	mutex_lock(&core->vram_lock);
	for (done = 0; done < bytes; done += 4)
		vgpu_core_write(core, move_window(core, address + done), 0);
	mutex_unlock(&core->vram_lock);
}

void vgpu_vram_flush(struct vgpu_core *core, u64 address)
{
	mutex_lock(&core->vram_lock);
	vgpu_core_read(core, move_window(core, address));
	mutex_unlock(&core->vram_lock);
}

int vgpu_vram_invalidate(struct vgpu_core *core, u64 directory, bool is_hub_only)
{
	u32 command = REG_MMU_INVALIDATE_ALL_VA | REG_MMU_INVALIDATE_TRIGGER;
	u32 value;
	int rc;

	if (is_hub_only)
		command |= REG_MMU_INVALIDATE_HUB_ONLY;
	mutex_lock(&core->vram_lock);
	vgpu_core_write(core, REG_MMU_INVALIDATE_PDB,
			(u32)(directory >> REG_MMU_INVALIDATE_PDB_SHIFT));
	vgpu_core_write(core, REG_MMU_INVALIDATE_UPPER_PDB,
			(u32)(directory >> REG_MMU_INVALIDATE_UPPER_PDB_SHIFT));
	vgpu_core_write(core, REG_MMU_INVALIDATE, command);
	rc = read_poll_timeout(vgpu_core_read, value,
			       !(value & REG_MMU_INVALIDATE_TRIGGER),
			       INVALIDATE_POLL_US, INVALIDATE_US, false, core,
			       REG_MMU_INVALIDATE);
	mutex_unlock(&core->vram_lock);
	if (rc)
		pci_err(core->pdev, "the MMU's TLBs are not invalidated: %d\n",
			rc);
	return rc;
}
