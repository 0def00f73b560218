// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine sleeps. The GPU does so with its firmware saved, as long as no
 * vGPU is open: a guest's state is nobody's here to save. For what takes longer
 * (hibernation) the firmware is unloaded, and boots anew.
 */
#include <linux/pm.h>

#include "core.h"
#include "kernel/mgr/manager.h"

static int power_close_use(struct vgpu_core *core)
{
	int rc = vgpu_use_close_if_unused(core);

	if (rc)
		pci_err(core->hw.pdev, "it does not sleep: %u vGPUs are open\n",
			vgpu_use_count(core));
	return rc;
}

static int power_suspend(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int rc = power_close_use(core);

	if (rc)
		return rc;
	down_write(&core->gsp_lock);
	/* Where it cannot sleep, it is unloaded. */
	if (core->gsp && !core->gsp->is_wedged)
		vgpu_sleep_save(core);
	up_write(&core->gsp_lock);
	vgpu_core_unload(core);
	/* Nothing schedules it any more. */
	vgpu_recovery_cancel(core);
	return 0;
}

/* With a firmware that knows nothing of what the other one was told. */
static void power_boot_anew(struct vgpu_core *core)
{
	vgpu_mgr_stop(&core->pf, "the machine slept");
	vgpu_recovery_boot(core, "it did not boot after its sleep");
}

static int power_wake(struct vgpu_core *core)
{
	int rc;

	if (!core->sleep.gsp)
		return -ENOENT;
	rc = vgpu_hw_wait_gfw_boot(&core->hw);
	down_write(&core->gsp_lock);
	if (rc == 0)
		rc = vgpu_sleep_wake(core);
	vgpu_sleep_drop(core);
	up_write(&core->gsp_lock);
	return rc;
}

static int power_resume(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	pci_set_master(core->hw.pdev);
	if (power_wake(core))
		power_boot_anew(core);
	vgpu_use_reopen(core);
	return 0;
}

static int power_freeze(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int rc = power_close_use(core);

	if (rc)
		return rc;
	vgpu_core_unload(core);
	vgpu_recovery_cancel(core);
	return 0;
}

const struct dev_pm_ops vgpu_power_ops = {
	.suspend = pm_sleep_ptr(power_suspend),
	.resume = pm_sleep_ptr(power_resume),
	.freeze = pm_sleep_ptr(power_freeze),
	.thaw = pm_sleep_ptr(power_resume),
	.poweroff = pm_sleep_ptr(power_freeze),
	.restore = pm_sleep_ptr(power_resume),
};
