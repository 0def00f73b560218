// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's driver of a modelled vGPU: it uses all that a guest has of one, says
 * what works, and lets it go. See ../model.h for what the model does for tests.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "model.h"

#define BAR_REGISTERS	0
#define BAR_FRAMEBUFFER 1
#define VECTORS		6
#define DMA_BITS	47
#define DMA_BYTES	65536
#define FB_STEP		4096
#define FB_PLACE	0x1000
#define INTERRUPT_MS	20000
#define PATTERN(at)	(~(u32)(at) ^ 0x5a5a5a5a)

struct guest {
	struct pci_dev *pdev;
	void __iomem *registers, *fb;
	u64 fb_bytes;
	struct completion raised[VECTORS];
};

static int said(struct guest *g, const char *what, int rc)
{
	pci_info(g->pdev, "guest: %s %s\n", rc ? "FAILED" : "ok", what);
	return rc;
}

static int check_config(struct guest *g)
{
	struct pci_dev *pdev = g->pdev;

	pci_info(pdev, "guest: %04x:%04x, subsystem %04x:%04x, class %06x\n",
		 pdev->vendor, pdev->device, pdev->subsystem_vendor,
		 pdev->subsystem_device, pdev->class);
	pci_info(pdev, "guest: BAR0 %llu, BAR1 %llu, BAR3 %llu bytes\n",
		 (u64)pci_resource_len(pdev, 0), (u64)pci_resource_len(pdev, 1),
		 (u64)pci_resource_len(pdev, 3));
	return pdev->msix_cap && pdev->pcie_cap && pdev->pm_cap &&
			       (pdev->devcap & PCI_EXP_DEVCAP_FLR)
		       ? 0
		       : -ENXIO;
}

static int check_registers(struct guest *g)
{
	if (readl(g->registers + REG_BOOT_0) != BOOT_0_AD102 ||
	    readl(g->registers + REG_TEST) != TEST_ID)
		return -ENXIO;
	pci_info(g->pdev, "guest: %u MiB of framebuffer\n",
		 readl(g->registers + REG_FB_MIB));
	writel(1, g->registers + REG_DRIVER);
	return readl(g->registers + REG_STATUS) & STATUS_MASTER ? 0 : -EIO;
}

static int check_zeros(struct guest *g)
{
	u64 at;

	for (at = 0; at < g->fb_bytes; at += FB_STEP)
		if (readl(g->fb + at) || readl(g->fb + at + FB_STEP - 4))
			return -EIO;
	return 0;
}

static int check_pattern(struct guest *g)
{
	u64 at;

	for (at = 0; at < g->fb_bytes; at += FB_STEP)
		writel(PATTERN(at), g->fb + at);
	for (at = 0; at < g->fb_bytes; at += FB_STEP)
		if (readl(g->fb + at) != PATTERN(at))
			return -EIO;
	return 0;
}

static irqreturn_t raised(int irq, void *data)
{
	complete(data);
	return IRQ_HANDLED;
}

static int wait_vectors(struct guest *g)
{
	int i;

	for (i = 0; i < VECTORS; i++) {
		writel(i, g->registers + REG_DOORBELL);
		if (!wait_for_completion_timeout(&g->raised[i],
						 msecs_to_jiffies(INTERRUPT_MS)))
			return -ETIMEDOUT;
	}
	return readl(g->registers + REG_DOORBELLS) == VECTORS ? 0 : -EIO;
}

static int check_interrupts(struct guest *g)
{
	struct pci_dev *pdev = g->pdev;
	int i, rc;

	rc = pci_alloc_irq_vectors(pdev, VECTORS, VECTORS, PCI_IRQ_MSIX);
	if (rc < 0)
		return rc;
	for (i = 0; i < VECTORS; i++) {
		init_completion(&g->raised[i]);
		rc = request_irq(pci_irq_vector(pdev, i), raised, 0,
				 KBUILD_MODNAME, &g->raised[i]);
		if (rc)
			break;
	}
	if (rc == 0)
		rc = wait_vectors(g);
	while (i-- > 0)
		free_irq(pci_irq_vector(pdev, i), &g->raised[i]);
	pci_free_irq_vectors(pdev);
	return rc;
}

static int move(struct guest *g, u32 command, dma_addr_t address)
{
	writel(lower_32_bits(address), g->registers + REG_DMA_ADDR);
	writel(upper_32_bits(address), g->registers + REG_DMA_ADDR + 4);
	writel(FB_PLACE, g->registers + REG_DMA_FB);
	writel(0, g->registers + REG_DMA_FB + 4);
	writel(DMA_BYTES, g->registers + REG_DMA_BYTES);
	writel(command, g->registers + REG_DMA_GO);
	return readl(g->registers + REG_DMA_STATUS) == DMA_DONE ? 0 : -EIO;
}

static int check_dma(struct guest *g)
{
	dma_addr_t address;
	u32 *memory;
	int i, rc;

	memory = dma_alloc_coherent(&g->pdev->dev, DMA_BYTES, &address,
				    GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	for (i = 0; i < DMA_BYTES / 4; i++)
		memory[i] = i * 3;
	rc = move(g, DMA_TO_FB, address);
	if (rc == 0 && readl(g->fb + FB_PLACE + 400) != memory[100])
		rc = -EIO;
	memset(memory, 0, DMA_BYTES);
	if (rc == 0)
		rc = move(g, DMA_TO_MEMORY, address);
	for (i = 0; rc == 0 && i < DMA_BYTES / 4; i++)
		if (memory[i] != i * 3)
			rc = -EIO;
	dma_free_coherent(&g->pdev->dev, DMA_BYTES, memory, address);
	return rc;
}

/* Probing has the device's lock. */
static int check_reset(struct guest *g)
{
	int rc = pci_reset_function_locked(g->pdev);

	if (rc)
		return rc;
	rc = check_zeros(g);
	if (rc == 0 && readl(g->registers + REG_DRIVER))
		rc = -EIO;
	return rc;
}

static const struct {
	const char *what;
	int (*check)(struct guest *g);
} checks[] = {
	{"config", check_config},
	{"registers", check_registers},
	{"framebuffer of zeros", check_zeros},
	{"pattern", check_pattern},
	{"MSI-X by doorbell", check_interrupts},
	{"DMA", check_dma},
	{"reset", check_reset},
};

static int vgpu_guest_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct guest *g = devm_kzalloc(&pdev->dev, sizeof(*g), GFP_KERNEL);
	int i, rc;

	if (!g)
		return -ENOMEM;
	g->pdev = pdev;
	rc = pcim_enable_device(pdev);
	if (rc)
		return rc;
	rc = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(DMA_BITS));
	if (rc)
		return rc;
	pci_set_master(pdev);
	g->registers = pcim_iomap(pdev, BAR_REGISTERS, 0);
	g->fb = pcim_iomap(pdev, BAR_FRAMEBUFFER, 0);
	g->fb_bytes = pci_resource_len(pdev, BAR_FRAMEBUFFER);
	if (!g->registers || !g->fb)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		rc = said(g, checks[i].what, checks[i].check(g));
		if (rc)
			break;
	}
	pci_info(pdev, "guest: %s\n", rc ? "test failed" : "test passed");
	pci_clear_master(pdev);
	return rc;
}

static const struct pci_device_id vgpu_guest_ids[] = {
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b9)}, /* L40S */
	{},
};
MODULE_DEVICE_TABLE(pci, vgpu_guest_ids);

static struct pci_driver vgpu_guest_driver = {
	.name = KBUILD_MODNAME,
	.id_table = vgpu_guest_ids,
	.probe = vgpu_guest_probe,
};
module_pci_driver(vgpu_guest_driver);

MODULE_DESCRIPTION("OpenVGPU: a guest's test of a modelled vGPU");
MODULE_LICENSE("GPL");
