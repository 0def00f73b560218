// SPDX-License-Identifier: GPL-2.0-or-later
/* vgpu_core: finds the GPUs that it can drive, and maps their registers. */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "chip.h"

#define BAR_REGISTERS	    0
#define REGISTERS_BYTES_MIN 0x1000000 /* what all Ada GPUs have */

/* One physical function. */
struct vgpu_core {
	struct pci_dev *pdev;
	void __iomem *registers;
	const struct vgpu_chip *chip;
};

static int identify(struct vgpu_core *core)
{
	u32 boot_0 = ioread32(core->registers + VGPU_BOOT_0);

	core->chip = vgpu_chip_find(boot_0);
	if (!core->chip) {
		pci_err(core->pdev, "%s (register 0 reads %#010x)\n",
			boot_0 == U32_MAX ? "the GPU does not answer"
					  : "not a GPU that is known",
			boot_0);
		return boot_0 == U32_MAX ? -EIO : -ENODEV;
	}
	pci_info(core->pdev, "%s revision %02x, %d VFs\n", core->chip->name,
		 vgpu_chip_revision(boot_0), pci_sriov_get_totalvfs(core->pdev));
	return 0;
}

static int vgpu_core_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vgpu_core *core;
	int rc;

	/* The VFs have the same vendor and class, and belong to the VMs. */
	if (pdev->is_virtfn)
		return -ENODEV;
	if (pci_resource_len(pdev, BAR_REGISTERS) < REGISTERS_BYTES_MIN) {
		pci_err(pdev, "BAR0 is too small, or has no address\n");
		return -ENODEV;
	}
	core = kzalloc(sizeof(*core), GFP_KERNEL);
	if (!core)
		return -ENOMEM;
	core->pdev = pdev;

	rc = pci_enable_device_mem(pdev);
	if (rc)
		goto err_free;
	rc = pci_request_region(pdev, BAR_REGISTERS, KBUILD_MODNAME);
	if (rc)
		goto err_disable;
	core->registers = pci_iomap(pdev, BAR_REGISTERS, 0);
	if (!core->registers) {
		rc = -ENOMEM;
		goto err_release;
	}
	rc = identify(core);
	if (rc)
		goto err_unmap;
	pci_set_drvdata(pdev, core);
	return 0;

err_unmap:
	pci_iounmap(pdev, core->registers);
err_release:
	pci_release_region(pdev, BAR_REGISTERS);
err_disable:
	pci_disable_device(pdev);
err_free:
	kfree(core);
	return rc;
}

static void vgpu_core_remove(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	pci_set_drvdata(pdev, NULL);
	pci_iounmap(pdev, core->registers);
	pci_release_region(pdev, BAR_REGISTERS);
	pci_disable_device(pdev);
	kfree(core);
}

static const struct pci_device_id vgpu_core_ids[] = {
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b1)}, /* RTX 6000 Ada */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b2)}, /* RTX 5000 Ada */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b5)}, /* L40 */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b8)}, /* L40G */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26b9)}, /* L40S */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x26ba)}, /* L20 */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x27b6)}, /* L2 */
	{PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, 0x27b8)}, /* L4 */
	{},
};
MODULE_DEVICE_TABLE(pci, vgpu_core_ids);

static struct pci_driver vgpu_core_driver = {
	.name = KBUILD_MODNAME,
	.id_table = vgpu_core_ids,
	.probe = vgpu_core_probe,
	.remove = vgpu_core_remove,
};
module_pci_driver(vgpu_core_driver);

MODULE_DESCRIPTION("OpenVGPU: core driver for NVIDIA GPUs with GSP firmware");
MODULE_LICENSE("GPL");
