/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GPU's hardware: its registers, its falcons, its ROM. */
#ifndef VGPU_KERNEL_CORE_HW_HW_H
#define VGPU_KERNEL_CORE_HW_HW_H

#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "falcon.h"
#include "kernel/core/pure/chip.h"
#include "kernel/core/pure/vbios.h"

#define VGPU_BAR1 1 /* its number among the PCI BARs */

struct vgpu_hw {
	struct pci_dev *pdev;
	void __iomem *registers;
	const struct vgpu_chip *chip;
	struct vgpu_falcon gsp_falcon;
	struct vgpu_falcon sec2_falcon;

	u8 *rom; /* @fwsec points into it */
	struct vgpu_vbios vbios;
	struct vgpu_fwsec fwsec;

	struct mutex vram_lock; /* protects vram.c's registers; the innermost */
};

void vgpu_hw_init(struct vgpu_hw *hw, struct pci_dev *pdev);

/*
 * Enable the device and map its registers, until its driver is unbound (devm).
 * -ENODEV: it has no usable BAR0; others: as of the PCI core.
 */
int vgpu_hw_open(struct vgpu_hw *hw);

/* Find out which chip it is. -ENODEV: an unknown one; -EIO: it does not answer. */
int vgpu_hw_identify(struct vgpu_hw *hw);

/* Wait, 4 s at most, until the GPU has booted from its ROM. */
int vgpu_hw_wait_gfw_boot(struct vgpu_hw *hw);

/* rom.c: read the VBIOS and find FWSEC in it. */
int vgpu_hw_read_vbios(struct vgpu_hw *hw);
void vgpu_hw_drop_vbios(struct vgpu_hw *hw);

static inline u32 vgpu_hw_read(struct vgpu_hw *hw, u32 offset)
{
	return ioread32(hw->registers + offset);
}

static inline void vgpu_hw_write(struct vgpu_hw *hw, u32 offset, u32 value)
{
	iowrite32(value, hw->registers + offset);
}

/* Whether the device still answers on the bus. */
static inline bool vgpu_hw_is_present(struct vgpu_hw *hw)
{
	return vgpu_hw_read(hw, VGPU_BOOT_0) != U32_MAX;
}

#endif
