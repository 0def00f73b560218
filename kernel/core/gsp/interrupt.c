// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The GSP's interrupts: by the tree of vectors of Turing and later, of which
 * only the GSP's vector is enabled.
 *
 *   falcon: IRQSTAT --> leaf: bit of the vector --> top: bit of two leaves --> CPU
 */
#include <linux/interrupt.h>

#include "gsp.h"
#include "kernel/core/hw/regs.h"

static void interrupt_rearm(struct vgpu_hw *hw)
{
	if (hw->pdev->msi_enabled)
		vgpu_hw_write(hw, REG_MSI_REARM, 0);
}

static irqreturn_t interrupt_check(int irq, void *data)
{
	struct vgpu_gsp *gsp = data;
	u32 top = vgpu_hw_read(gsp->hw, REG_INTR_TOP);

	/* A line may be another device's; one that is gone says all. */
	if (top == U32_MAX)
		return IRQ_NONE;
	if (!(top & REG_INTR_TOP_BIT(gsp->vector))) {
		/* Or no message comes any more. */
		interrupt_rearm(gsp->hw);
		return IRQ_NONE;
	}
	vgpu_hw_write(gsp->hw, REG_INTR_TOP_EN_CLEAR,
		      REG_INTR_TOP_BIT(gsp->vector));
	return IRQ_WAKE_THREAD;
}

static void interrupt_handle_falcon(struct vgpu_gsp *gsp)
{
	struct vgpu_falcon *falcon = &gsp->hw->gsp_falcon;
	u32 causes;

	causes = vgpu_falcon_read(falcon, FALCON_IRQ_STATUS) &
		 vgpu_falcon_read(falcon, RISCV_IRQ_MASK);
	vgpu_falcon_write(falcon, FALCON_IRQ_CLEAR, causes);
	if (causes & ~(FALCON_IRQ_MESSAGE | FALCON_IRQ_HALT))
		dev_warn_ratelimited(&gsp->hw->pdev->dev,
				     "GSP: unknown interrupts %#x\n", causes);
	/* What it said last comes before that it halted. */
	vgpu_gsp_take_events(gsp);
	vgpu_falcon_write(falcon, FALCON_IRQ_RETRIGGER, 1);
}

static irqreturn_t interrupt_thread(int irq, void *data)
{
	struct vgpu_gsp *gsp = data;
	struct vgpu_hw *hw = gsp->hw;
	u32 leaf = REG_INTR_LEAF(gsp->vector);

	if (vgpu_hw_read(hw, leaf) & REG_INTR_LEAF_BIT(gsp->vector)) {
		vgpu_hw_write(hw, leaf, REG_INTR_LEAF_BIT(gsp->vector));
		interrupt_handle_falcon(gsp);
	}
	interrupt_rearm(hw);
	vgpu_hw_write(hw, REG_INTR_TOP_EN_SET, REG_INTR_TOP_BIT(gsp->vector));
	return IRQ_HANDLED;
}

int vgpu_gsp_enable_interrupts(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	struct pci_dev *pdev = hw->pdev;
	int rc;

	if (gsp->vector >= REG_INTR_VECTORS) {
		pci_err(pdev, "the GSP has no interrupt %u\n", gsp->vector);
		return -EBADMSG;
	}
	rc = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (rc < 0)
		return rc;
	rc = request_threaded_irq(pci_irq_vector(pdev, 0), interrupt_check,
				  interrupt_thread, IRQF_SHARED, KBUILD_MODNAME,
				  gsp);
	if (rc) {
		pci_free_irq_vectors(pdev);
		return rc;
	}
	gsp->has_interrupts = true;
	vgpu_hw_write(hw, REG_INTR_LEAF_EN_SET(gsp->vector),
		      REG_INTR_LEAF_BIT(gsp->vector));
	vgpu_hw_write(hw, REG_INTR_TOP_EN_SET, REG_INTR_TOP_BIT(gsp->vector));
	return 0;
}

void vgpu_gsp_disable_interrupts(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;

	if (!gsp->has_interrupts)
		return;
	gsp->has_interrupts = false;
	vgpu_hw_write(hw, REG_INTR_LEAF_EN_CLEAR(gsp->vector),
		      REG_INTR_LEAF_BIT(gsp->vector));
	vgpu_hw_write(hw, REG_INTR_TOP_EN_CLEAR, REG_INTR_TOP_BIT(gsp->vector));
	free_irq(pci_irq_vector(hw->pdev, 0), gsp);
	/* Its thread may have enabled it once more. */
	vgpu_hw_write(hw, REG_INTR_TOP_EN_CLEAR, REG_INTR_TOP_BIT(gsp->vector));
	pci_free_irq_vectors(hw->pdev);
}
