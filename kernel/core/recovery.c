// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A GPU whose GSP is wedged is reset and booted again, with the module loaded.
 * The same is done around a reset that is asked for by sysfs. One that does not
 * boot, or is wedged again and again, is reset VGPU_ATTEMPTS_MAX times an hour.
 */
#include <linux/pci.h>
#include <linux/timekeeping.h>

#include "core.h"
#include "kernel/core/gsp/trace.h"
#include "kernel/mgr/manager.h"

#define DELAY_MS 500
/* How long the PCI core may take to get over an error of the bus. */
#define BUS_ERROR_MS 10000
/* After so many failed boots the delay is not doubled any more. */
#define DOUBLINGS_MAX 7

static void recovery_reset(struct vgpu_core *core)
{
	struct pci_dev *pdev = core->hw.pdev;
	u64 now = ktime_get_boottime_seconds();
	u64 wait = vgpu_attempts_wait(&core->recovery.attempts, now);
	int rc;

	if (wait) {
		pci_err(pdev,
			"it is not reset for %llu s: it was %u times in an hour\n",
			wait, VGPU_ATTEMPTS_MAX);
		schedule_delayed_work(&core->recovery.work,
				      msecs_to_jiffies((u32)wait * MSEC_PER_SEC));
		return;
	}
	/* Whoever holds the device may be removing it, and wait for this work. */
	rc = pci_try_reset_function(pdev);
	trace_vgpu_recovery_reset(pci_name(pdev), rc);
	if (rc != -EAGAIN)
		vgpu_attempts_add(&core->recovery.attempts, now);
	if (rc && rc != -EAGAIN)
		pci_err(pdev, "the GPU was not reset: %d\n", rc);
	/* One that was reset, but did not boot, has scheduled it by itself. */
	if (rc && rc != -ENOTTY)
		vgpu_recovery_schedule(core);
}

static void recovery_work(struct work_struct *work)
{
	struct vgpu_core *core =
		container_of(work, struct vgpu_core, recovery.work.work);

	/* Somebody else has reset it meanwhile. */
	if (!READ_ONCE(core->recovery.why_wedged))
		return;
	/* vGPUs are being taken down: soon there is none. */
	if (vgpu_use_count(core))
		vgpu_recovery_schedule(core);
	else if (!vgpu_hw_is_present(&core->hw))
		pci_err(core->hw.pdev,
			"it is not reset: the GPU does not answer\n");
	else
		recovery_reset(core);
}

void vgpu_recovery_init(struct vgpu_core *core)
{
	INIT_DELAYED_WORK(&core->recovery.work, recovery_work);
}

void vgpu_recovery_schedule(struct vgpu_core *core)
{
	u32 doublings = min_t(u32, READ_ONCE(core->recovery.failed_boots),
			      DOUBLINGS_MAX);

	schedule_delayed_work(&core->recovery.work,
			      msecs_to_jiffies(DELAY_MS << doublings));
}

void vgpu_recovery_cancel(struct vgpu_core *core)
{
	cancel_delayed_work_sync(&core->recovery.work);
}

void vgpu_recovery_boot(struct vgpu_core *core, const char *why)
{
	int rc = vgpu_core_boot(core);

	trace_vgpu_recovery_booted(pci_name(core->hw.pdev), rc);
	if (rc == 0) {
		WRITE_ONCE(core->recovery.failed_boots, 0);
		pci_save_state(core->hw.pdev);
		vgpu_mgr_start(&core->pf);
		return;
	}
	pci_err(core->hw.pdev, "%s: %d\n", why, rc);
	WRITE_ONCE(core->recovery.why_wedged, why);
	WRITE_ONCE(core->recovery.failed_boots, core->recovery.failed_boots + 1);
	vgpu_recovery_schedule(core);
}

static void recovery_reset_prepare(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	pci_info(pdev, "the GPU is reset\n");
	vgpu_mgr_stop(&core->pf, "the GPU is reset");
	vgpu_core_unload(core);
}

static void recovery_reset_done(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	/* It was ended where the firmware's memory could not be taken down. */
	pci_set_master(pdev);
	vgpu_recovery_boot(core, "it did not boot again");
}

/*
 * The GPU, or the bus above it, failed (AER). Nothing is asked of the firmware
 * any more; the PCI core resets the link, and says so. Where it gives up on
 * that, as it does where a VF has no driver, the recovery of ours comes later.
 */
static pci_ers_result_t recovery_error_detected(struct pci_dev *pdev,
						pci_channel_state_t state)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);
	const char *why = "the PCI bus reported an error";

	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	down_read(&core->gsp_lock);
	if (core->gsp)
		vgpu_gsp_wedge(core->gsp, why);
	up_read(&core->gsp_lock);
	vgpu_mgr_stop(&core->pf, why);
	vgpu_core_unload(core);
	vgpu_recovery_cancel(core);
	if (state == pci_channel_io_perm_failure)
		return PCI_ERS_RESULT_DISCONNECT;
	schedule_delayed_work(&core->recovery.work,
			      msecs_to_jiffies(BUS_ERROR_MS));
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t recovery_slot_reset(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);

	/* Restoring it forgets it, and there may be another error. */
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return vgpu_hw_is_present(&core->hw) ? PCI_ERS_RESULT_RECOVERED
					     : PCI_ERS_RESULT_DISCONNECT;
}

/* Also called after an error that took nothing from the GPU. */
static void recovery_resume(struct pci_dev *pdev)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);
	bool is_up;

	down_read(&core->gsp_lock);
	is_up = core->gsp;
	up_read(&core->gsp_lock);
	if (is_up)
		return;
	pci_set_master(pdev);
	vgpu_recovery_boot(core, "it did not boot after an error of the bus");
}

const struct pci_error_handlers vgpu_recovery_handlers = {
	.error_detected = recovery_error_detected,
	.slot_reset = recovery_slot_reset,
	.resume = recovery_resume,
	.reset_prepare = recovery_reset_prepare,
	.reset_done = recovery_reset_done,
};
