// SPDX-License-Identifier: GPL-2.0-or-later
/* vgpu_core: finds the GPUs that it can drive, and boots their firmware. */
#include <linux/aperture.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core.h"
#include "kernel/core/gsp/gsp.h"
#include "kernel/mgr/manager.h"
#include "kernel/core/hw/regs.h"
#include "kernel/core/rm/scrub.h"

#define BAR_REGISTERS	    0
#define REGISTERS_BYTES_MIN 0x1000000 /* what all Ada GPUs have */
#define DMA_BITS	    47
#define FIRMWARE_VERSION    "570.144"
#define GFW_BOOT_POLL_US    1000
#define GFW_BOOT_US	    4000000

static int identify(struct vgpu_core *core)
{
	u32 boot_0 = vgpu_core_read(core, VGPU_BOOT_0);

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

static bool is_gfw_boot_done(struct vgpu_core *core)
{
	if (!(vgpu_core_read(core, REG_GFW_BOOT_MASK) & REG_GFW_BOOT_MASK_READ))
		return false;
	return (vgpu_core_read(core, REG_GFW_BOOT) & REG_GFW_BOOT_PROGRESS) ==
	       REG_GFW_BOOT_DONE;
}

/* The GPU boots itself from its ROM, before anybody may touch much of it. */
int vgpu_core_wait_gfw_boot(struct vgpu_core *core)
{
	bool is_done;
	int rc;

	rc = read_poll_timeout(is_gfw_boot_done, is_done, is_done,
			       GFW_BOOT_POLL_US, GFW_BOOT_US, false, core);
	if (rc)
		pci_err(core->pdev, "the GPU has not booted itself: %#x\n",
			vgpu_core_read(core, REG_GFW_BOOT));
	return rc;
}

int vgpu_core_boot(struct vgpu_core *core)
{
	int rc = vgpu_core_wait_gfw_boot(core);

	return rc ? rc : vgpu_gsp_start(core);
}

/*
 * A kernel that was left without a shutdown, by kexec or a crash, has left its
 * firmware. Probing holds the device's lock, and nobody has its state yet.
 */
static int main_end_others_firmware(struct vgpu_core *core)
{
	struct pci_dev *pdev = core->pdev;
	int rc;

	if (!vgpu_gsp_wpr2_start(core))
		return 0;
	pci_info(pdev, "another driver's firmware is still there: it is reset\n");
	pci_save_state(pdev);
	rc = __pci_reset_function_locked(pdev);
	pci_restore_state(pdev);
	if (rc) {
		pci_err(pdev, "the GPU was not reset: %d\n", rc);
		return rc;
	}
	return vgpu_core_wait_gfw_boot(core);
}

static int bring_up(struct vgpu_core *core)
{
	int rc;

	rc = identify(core);
	if (rc == 0)
		rc = vgpu_core_wait_gfw_boot(core);
	if (rc == 0)
		rc = main_end_others_firmware(core);
	if (rc == 0)
		rc = vgpu_core_read_vbios(core);
	if (rc)
		return rc;
	rc = vgpu_gsp_start(core);
	if (rc)
		vgpu_core_drop_vbios(core);
	return rc;
}

static struct vgpu_core *core_create(struct pci_dev *pdev)
{
	struct vgpu_core *core = kzalloc(sizeof(*core), GFP_KERNEL);

	if (!core)
		return NULL;
	core->pdev = pdev;
	init_rwsem(&core->gsp_lock);
	vgpu_events_init(core);
	vgpu_recovery_init(core);
	vgpu_resources_init(core);
	core->abi = vgpu_abi_find(FIRMWARE_VERSION);
	core->gsp_falcon = (struct vgpu_falcon){
		.core = core,
		.base = REG_GSP_FALCON,
		.fuses = REG_GSP_FUSES,
	};
	core->sec2_falcon = (struct vgpu_falcon){
		.core = core,
		.base = REG_SEC2_FALCON,
		.fuses = REG_SEC2_FUSES,
	};
	return core;
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
	core = core_create(pdev);
	if (!core)
		return -ENOMEM;

	rc = pci_enable_device_mem(pdev);
	if (rc)
		goto err_free;
	rc = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(DMA_BITS));
	if (rc)
		goto err_disable;
	/* A console that the firmware of the machine has left in BAR1. */
	rc = aperture_remove_conflicting_pci_devices(pdev, KBUILD_MODNAME);
	if (rc)
		goto err_disable;
	rc = pci_request_region(pdev, BAR_REGISTERS, KBUILD_MODNAME);
	if (rc)
		goto err_disable;
	rc = pci_request_region(pdev, VGPU_BAR1, KBUILD_MODNAME);
	if (rc)
		goto err_release;
	core->registers = pci_iomap(pdev, BAR_REGISTERS, 0);
	if (!core->registers) {
		rc = -ENOMEM;
		goto err_release_bar1;
	}
	rc = vgpu_scrubber_create(core);
	if (rc)
		goto err_unmap;
	pci_set_master(pdev);
	rc = bring_up(core);
	if (rc) {
		vgpu_debug_keep_failed(core);
		goto err_clear;
	}
	vgpu_debug_drop_failed(pdev);
	/* Another driver left them; they are as good as ones of this driver's. */
	if (pci_num_vf(pdev))
		pci_info(pdev, "%d VFs were there before\n", pci_num_vf(pdev));
	pci_set_drvdata(pdev, core);
	rc = vgpu_core_add_files(core);
	if (rc)
		goto err_stop;
	rc = vgpu_mgr_create(core);
	if (rc)
		goto err_files;
	vgpu_debug_init(core);
	return 0;

err_files:
	vgpu_core_remove_files(core);
err_stop:
	vgpu_gsp_stop(core);
	vgpu_recovery_cancel(core);
	pci_set_drvdata(pdev, NULL);
	vgpu_core_drop_vbios(core);
err_clear:
	pci_clear_master(pdev);
	vgpu_scrubber_destroy(core);
err_unmap:
	pci_iounmap(pdev, core->registers);
	vgpu_resources_finish(core);
err_release_bar1:
	pci_release_region(pdev, VGPU_BAR1);
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

	/*
	 * Disabling VFs waits for whoever has one open, who may have no reason
	 * to close it: then they stay, with no vGPUs behind them.
	 */
	if (vgpu_mgr_destroy(core))
		pci_warn(pdev, "VFs are in use: they stay, without vGPUs\n");
	else
		pci_disable_sriov(pdev);
	vgpu_core_remove_files(core);
	vgpu_core_end_use(core);
	vgpu_gsp_stop(core);
	/* It was taken away in its sleep. */
	if (core->sleeper)
		vgpu_gsp_destroy(core->sleeper);
	vgpu_recovery_cancel(core);
	vgpu_debug_finish(core);
	pci_set_drvdata(pdev, NULL);
	vgpu_core_drop_vbios(core);
	pci_clear_master(pdev);
	vgpu_scrubber_destroy(core);
	pci_iounmap(pdev, core->registers);
	vgpu_resources_finish(core);
	pci_release_region(pdev, VGPU_BAR1);
	pci_release_region(pdev, BAR_REGISTERS);
	pci_disable_device(pdev);
	kfree(core);
}

/* The next kernel finds the GPU as after its own boot. */
static void vgpu_core_shutdown(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	vgpu_core_shut_use(core);
	vgpu_mgr_stop(core, "the machine is shut down");
	vgpu_gsp_stop(core);
	vgpu_recovery_cancel(core);
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
	.shutdown = vgpu_core_shutdown,
	.err_handler = &vgpu_recovery_handlers,
	.driver.pm = pm_ptr(&vgpu_power_ops),
	/* The PF stays in D0: probing took the runtime PM reference it has. */
	.sriov_configure = vgpu_core_set_vfs,
};

static int __init vgpu_core_init(void)
{
	return pci_register_driver(&vgpu_core_driver);
}
module_init(vgpu_core_init);

static void __exit vgpu_core_exit(void)
{
	pci_unregister_driver(&vgpu_core_driver);
	vgpu_debug_drop_failed(NULL);
}
module_exit(vgpu_core_exit);

MODULE_DESCRIPTION("OpenVGPU: core driver for NVIDIA GPUs with GSP firmware");
MODULE_SOFTDEP("post: vgpu_vfio_pci");
MODULE_LICENSE("GPL");
