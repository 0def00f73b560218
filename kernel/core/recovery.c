// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A GPU whose GSP is wedged is reset and booted again, with the module loaded.
 * The same is done around a reset that is asked for by sysfs.
 */
#include <linux/pci.h>

#include "core.h"
#include "kernel/mgr/manager.h"

#define DELAY_MS       500
#define RECOVERIES_MAX 8 /* one that crashes again and again is left alone */

static void recover(struct work_struct *work)
{
	struct vgpu_core *core =
		container_of(work, struct vgpu_core, recovery.work);
	struct pci_dev *pdev = core->pdev;
	int rc;

	/* vGPUs are being taken down: soon there is none. */
	if (vgpu_core_is_used(core)) {
		vgpu_recovery_schedule(core);
		return;
	}
	if (vgpu_core_read(core, VGPU_BOOT_0) == U32_MAX) {
		pci_err(pdev, "it is not reset: the GPU does not answer\n");
		return;
	}
	if (core->recoveries == RECOVERIES_MAX) {
		pci_err(pdev, "it is not reset: it was %u times before\n",
			core->recoveries);
		return;
	}
	/* Whoever holds the device may be removing it, and wait for this work. */
	rc = pci_try_reset_function(pdev);
	if (rc == -EAGAIN)
		vgpu_recovery_schedule(core);
	else if (rc)
		pci_err(pdev, "the GPU was not reset: %d\n", rc);
	else
		core->recoveries++;
}

void vgpu_recovery_init(struct vgpu_core *core)
{
	INIT_DELAYED_WORK(&core->recovery, recover);
}

void vgpu_recovery_schedule(struct vgpu_core *core)
{
	schedule_delayed_work(&core->recovery, msecs_to_jiffies(DELAY_MS));
}

void vgpu_recovery_cancel(struct vgpu_core *core)
{
	cancel_delayed_work_sync(&core->recovery);
}

static void reset_prepare(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	pci_info(pdev, "the GPU is reset\n");
	vgpu_mgr_stop(core, "the GPU is reset");
	vgpu_gsp_stop(core);
}

static void reset_done(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);
	int rc;

	/* It was ended where the firmware's memory could not be taken down. */
	pci_set_master(pdev);
	rc = vgpu_core_boot(core);
	if (rc)
		pci_err(pdev, "the GPU did not boot again: %d\n", rc);
	else
		vgpu_mgr_start(core);
}

const struct pci_error_handlers vgpu_recovery_handlers = {
	.reset_prepare = reset_prepare,
	.reset_done = reset_done,
};
