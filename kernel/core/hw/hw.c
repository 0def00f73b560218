// SPDX-License-Identifier: GPL-2.0-or-later
/* Enables the device, maps its registers, and tells which chip it is. */
#include "hw.h"

#include <linux/aperture.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>

#include "regs.h"

#define BAR_REGISTERS	    0
#define REGISTERS_BYTES_MIN 0x1000000 /* what all Ada GPUs have */
#define DMA_BITS	    47
#define GFW_BOOT_POLL_US    1000
#define GFW_BOOT_US	    4000000

void vgpu_hw_init(struct vgpu_hw *hw, struct pci_dev *pdev)
{
	hw->pdev = pdev;
	mutex_init(&hw->vram_lock);
	hw->gsp_falcon = (struct vgpu_falcon){
		.hw = hw,
		.base = REG_GSP_FALCON,
		.fuses = REG_GSP_FUSES,
	};
	hw->sec2_falcon = (struct vgpu_falcon){
		.hw = hw,
		.base = REG_SEC2_FALCON,
		.fuses = REG_SEC2_FUSES,
	};
}

static void hw_disable(void *pdev)
{
	pci_disable_device(pdev);
}

static int hw_request_bar(struct pci_dev *pdev, int bar)
{
	if (devm_request_mem_region(&pdev->dev, pci_resource_start(pdev, bar),
				    pci_resource_len(pdev, bar), KBUILD_MODNAME))
		return 0;
	pci_err(pdev, "BAR%d is in use: %pR\n", bar, &pdev->resource[bar]);
	return -EBUSY;
}

int vgpu_hw_open(struct vgpu_hw *hw)
{
	struct pci_dev *pdev = hw->pdev;
	int rc;

	if (pci_resource_len(pdev, BAR_REGISTERS) < REGISTERS_BYTES_MIN) {
		pci_err(pdev, "BAR0 is too small, or has no address\n");
		return -ENODEV;
	}
	rc = pci_enable_device_mem(pdev);
	if (rc)
		return rc;
	rc = devm_add_action_or_reset(&pdev->dev, hw_disable, pdev);
	if (rc)
		return rc;
	rc = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(DMA_BITS));
	/* A console that the machine's firmware has left in BAR1. */
	if (rc == 0)
		rc = aperture_remove_conflicting_pci_devices(pdev,
							     KBUILD_MODNAME);
	if (rc == 0)
		rc = hw_request_bar(pdev, BAR_REGISTERS);
	if (rc == 0)
		rc = hw_request_bar(pdev, VGPU_BAR1);
	if (rc)
		return rc;
	hw->registers = pcim_iomap(pdev, BAR_REGISTERS, 0);
	return hw->registers ? 0 : -ENOMEM;
}

int vgpu_hw_identify(struct vgpu_hw *hw)
{
	u32 boot_0 = vgpu_hw_read(hw, VGPU_BOOT_0);

	hw->chip = vgpu_chip_find(boot_0);
	if (!hw->chip) {
		pci_err(hw->pdev, "%s (register 0 reads %#010x)\n",
			boot_0 == U32_MAX ? "the GPU does not answer"
					  : "not a GPU that is known",
			boot_0);
		return boot_0 == U32_MAX ? -EIO : -ENODEV;
	}
	pci_info(hw->pdev, "%s revision %02x, %d VFs\n", hw->chip->name,
		 vgpu_chip_revision(boot_0), pci_sriov_get_totalvfs(hw->pdev));
	return 0;
}

static bool hw_is_gfw_boot_done(struct vgpu_hw *hw)
{
	if (!(vgpu_hw_read(hw, REG_GFW_BOOT_MASK) & REG_GFW_BOOT_MASK_READ))
		return false;
	return (vgpu_hw_read(hw, REG_GFW_BOOT) & REG_GFW_BOOT_PROGRESS) ==
	       REG_GFW_BOOT_DONE;
}

int vgpu_hw_wait_gfw_boot(struct vgpu_hw *hw)
{
	bool is_done;
	int rc;

	rc = read_poll_timeout(hw_is_gfw_boot_done, is_done, is_done,
			       GFW_BOOT_POLL_US, GFW_BOOT_US, false, hw);
	if (rc)
		pci_err(hw->pdev, "the GPU has not booted itself: %#x\n",
			vgpu_hw_read(hw, REG_GFW_BOOT));
	return rc;
}
