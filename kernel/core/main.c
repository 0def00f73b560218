// SPDX-License-Identifier: GPL-2.0-or-later
/* vgpu_core: finds the GPUs that it can drive, and boots their firmware. */
#include <linux/module.h>
#include <linux/slab.h>

#include "core.h"
#include "kernel/mgr/manager.h"
#include "pf_files.h"

/*
 * A kernel that was left without a shutdown, by kexec or a crash, has left its
 * firmware. Probing holds the device's lock, and nobody has its state yet.
 */
static int main_end_others_firmware(struct vgpu_core *core)
{
	struct pci_dev *pdev = core->hw.pdev;
	int rc;

	if (!vgpu_gsp_wpr2_start(&core->hw))
		return 0;
	pci_info(pdev, "another driver's firmware is still there: it is reset\n");
	pci_save_state(pdev);
	rc = __pci_reset_function_locked(pdev);
	pci_restore_state(pdev);
	if (rc) {
		pci_err(pdev, "the GPU was not reset: %d\n", rc);
		return rc;
	}
	return vgpu_hw_wait_gfw_boot(&core->hw);
}

static int main_bring_up(struct vgpu_core *core)
{
	int rc;

	rc = vgpu_hw_identify(&core->hw);
	if (rc == 0)
		rc = vgpu_hw_wait_gfw_boot(&core->hw);
	if (rc == 0)
		rc = main_end_others_firmware(core);
	if (rc == 0)
		rc = vgpu_hw_read_vbios(&core->hw);
	if (rc)
		return rc;
	rc = vgpu_core_boot(core);
	if (rc)
		vgpu_debug_keep_failed(core);
	else
		vgpu_debug_drop_failed(core->hw.pdev);
	return rc;
}

static struct vgpu_core *main_create_core(struct pci_dev *pdev)
{
	struct vgpu_core *core = kzalloc(sizeof(*core), GFP_KERNEL);

	if (!core)
		return NULL;
	core->abi = vgpu_abi_find(VGPU_ABI_VERSION);
	if (WARN_ON(!core->abi)) {
		kfree(core);
		return NULL;
	}
	init_rwsem(&core->gsp_lock);
	mutex_init(&core->use.lock);
	vgpu_hw_init(&core->hw, pdev);
	vgpu_recovery_init(core);
	vgpu_events_init(&core->events, &pdev->dev, core->abi);
	vgpu_resources_init(&core->resources, &core->hw);
	vgpu_scrubber_init(&core->scrubber, core->abi, &core->resources,
			   &core->events);
	core->pf = (struct vgpu_pf){
		.ops = &vgpu_core_pf_ops,
		.pdev = pdev,
		.abi = core->abi,
		.allocators_lock = &core->resources.lock,
		.fb = &core->resources.fb,
		.chids = &core->resources.chids,
	};
	return core;
}

/*
 * Undo all that was done, of a core that is up or that failed to come up at any
 * step. What the device itself needs (vgpu_hw_open()) is undone after this, by
 * devm.
 */
static void core_destroy(struct vgpu_core *core)
{
	struct pci_dev *pdev = core->hw.pdev;

	/*
	 * Disabling VFs waits for whoever has one open, who may have no reason
	 * to close it: then they stay, with no vGPUs behind them.
	 */
	if (vgpu_mgr_destroy(&core->pf))
		pci_warn(pdev, "VFs are in use: they stay, without vGPUs\n");
	else if (core->is_up)
		pci_disable_sriov(pdev);
	vgpu_pf_remove_dir(&core->pf);
	vgpu_use_close(core);
	vgpu_debug_put_use(core);
	WARN_ON(vgpu_use_count(core));
	vgpu_core_unload(core);
	/* It was unbound while the machine slept. */
	vgpu_sleep_drop(core);
	vgpu_recovery_cancel(core);
	vgpu_debug_finish(core);
	pci_set_drvdata(pdev, NULL);
	vgpu_hw_drop_vbios(&core->hw);
	pci_clear_master(pdev);
	vgpu_scrubber_finish(&core->scrubber);
	vgpu_resources_finish(&core->resources);
	kfree(core);
}

/* What the manager is told of the GPU once it is up. */
static int main_add_manager(struct vgpu_core *core)
{
	core->pf.debugfs = core->debug.dir;
	return vgpu_mgr_create(&core->pf);
}

static int vgpu_core_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vgpu_core *core;
	int rc;

	/* The VFs have the same vendor and class, and belong to the VMs. */
	if (pdev->is_virtfn)
		return -ENODEV;
	core = main_create_core(pdev);
	if (!core)
		return -ENOMEM;
	rc = vgpu_hw_open(&core->hw);
	if (rc)
		goto err;
	pci_set_master(pdev);
	rc = main_bring_up(core);
	if (rc)
		goto err;
	/* Another driver left them; they are as good as ones of this driver's. */
	if (pci_num_vf(pdev))
		pci_info(pdev, "%d VFs were there before\n", pci_num_vf(pdev));
	pci_set_drvdata(pdev, core);
	rc = vgpu_core_add_files(core);
	if (rc)
		goto err;
	vgpu_debug_init(core);
	rc = main_add_manager(core);
	if (rc)
		goto err;
	core->is_up = true;
	/* What an error of the bus takes from the device. */
	pci_save_state(pdev);
	return 0;

err:
	core_destroy(core);
	return rc;
}

static void vgpu_core_remove(struct pci_dev *pdev)
{
	core_destroy(pci_get_drvdata(pdev));
}

/* The next kernel finds the GPU as after its own boot. */
static void vgpu_core_shutdown(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	vgpu_use_close(core);
	vgpu_mgr_stop(&core->pf, "the machine is shut down");
	vgpu_core_unload(core);
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
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
