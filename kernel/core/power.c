// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine sleeps. The GPU does so with its firmware saved, as long as no
 * vGPU is open: a guest's state is nobody's here to save. For what takes longer
 * (hibernation) the firmware is unloaded, and boots anew.
 */
#include <linux/pm.h>

#include "core.h"
#include "kernel/core/gsp/gsp.h"
#include "kernel/mgr/manager.h"

static int refuse_open(struct vgpu_core *core)
{
	int rc = vgpu_core_close_use(core);

	if (rc)
		pci_err(core->pdev, "it does not sleep: %u vGPUs are open\n",
			core->resources.users);
	return rc;
}

/* Where it cannot sleep, it is unloaded, or is to be. */
static void put_to_sleep(struct vgpu_gsp *gsp)
{
	struct vgpu_core *core = gsp->core;

	if (gsp->is_wedged)
		return;
	if (vgpu_gsp_sleep(gsp) == 0)
		core->sleeper = gsp;
	else if (core->gsp != gsp)
		vgpu_gsp_destroy(gsp);
}

static int vgpu_core_suspend(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int rc = refuse_open(core);

	if (rc)
		return rc;
	down_write(&core->gsp_lock);
	if (core->gsp)
		put_to_sleep(core->gsp);
	up_write(&core->gsp_lock);
	vgpu_gsp_stop(core);
	/* Nothing schedules it any more. */
	vgpu_recovery_cancel(core);
	return 0;
}

/* With a firmware that knows nothing of what the other one was told. */
static void boot_anew(struct vgpu_core *core)
{
	vgpu_mgr_stop(core, "the machine slept");
	vgpu_recovery_boot(core, "it did not boot after its sleep");
}

static int vgpu_core_wake(struct vgpu_core *core)
{
	struct vgpu_gsp *gsp = core->sleeper;
	int rc;

	core->sleeper = NULL;
	if (!gsp)
		return -ENOENT;
	rc = vgpu_core_wait_gfw_boot(core);
	down_write(&core->gsp_lock);
	if (rc == 0)
		rc = vgpu_gsp_wake(gsp);
	if (rc)
		vgpu_gsp_destroy(gsp);
	up_write(&core->gsp_lock);
	return rc;
}

static int vgpu_core_resume(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	pci_set_master(core->pdev);
	if (vgpu_core_wake(core))
		boot_anew(core);
	vgpu_core_reopen_use(core);
	return 0;
}

static int vgpu_core_freeze(struct device *dev)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int rc = refuse_open(core);

	if (rc)
		return rc;
	vgpu_gsp_stop(core);
	vgpu_recovery_cancel(core);
	return 0;
}

const struct dev_pm_ops vgpu_power_ops = {
	.suspend = pm_sleep_ptr(vgpu_core_suspend),
	.resume = pm_sleep_ptr(vgpu_core_resume),
	.freeze = pm_sleep_ptr(vgpu_core_freeze),
	.thaw = pm_sleep_ptr(vgpu_core_resume),
	.poweroff = pm_sleep_ptr(vgpu_core_freeze),
	.restore = pm_sleep_ptr(vgpu_core_resume),
};
