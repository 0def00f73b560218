// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A GPU whose firmware is out of order is taken from nouveau, reset, and given back
 * to it, with as many VFs as it had: nouveau itself does not reset one. vGPUs' types
 * are forgotten with that, as where an administrator does the same.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "adapter.h"
#include "kernel/core/pure/attempts.h"

#define DELAY_MS 500

/* Of each GPU that there was since the module was loaded. */
struct adapter_recovery {
	struct list_head link;
	struct pci_dev *pdev;	/* a reference */
	struct nouveau_pf *npf; /* NULL: nouveau does not have it */
	struct delayed_work work;
	struct vgpu_attempts attempts; /* of the work alone; so is the next */
	bool has_said_why;
};

/* Protects the list, and whether it is nouveau's. */
static DEFINE_MUTEX(recoveries_lock);
static LIST_HEAD(recoveries);

static void recovery_again(struct adapter_recovery *recovery, u64 ms)
{
	schedule_delayed_work(&recovery->work, msecs_to_jiffies((u32)ms));
}

/* What it waits for, a text; NULL: nothing. */
static const char *recovery_obstacle(const struct nouveau_pf *npf)
{
	if (atomic_read(&npf->uses))
		return "vGPUs are open";
	/* nouveau does not bear to be unbound below those who have it open. */
	if (nouveau_vgpu_is_in_use(npf->gpu))
		return "its DRM device is open";
	return NULL;
}

static bool recovery_is_due(struct adapter_recovery *recovery)
{
	u64 now = ktime_get_boottime_seconds();
	u64 wait = vgpu_attempts_wait(&recovery->attempts, now);
	struct nouveau_pf *npf;
	const char *why = NULL;
	bool is_due = false;

	mutex_lock(&recoveries_lock);
	npf = recovery->npf;
	if (!npf || !nouveau_vgpu_why_wedged(npf->gpu))
		goto out;
	why = recovery_obstacle(npf);
	if (why && !recovery->has_said_why)
		pci_warn(recovery->pdev, "it is not reset yet: %s\n", why);
	recovery->has_said_why = why;
	if (!why && wait)
		pci_err(recovery->pdev,
			"it is not reset for %llu s: it was %u times in an hour\n",
			wait, VGPU_ATTEMPTS_MAX);
	is_due = !why && !wait;
	if (!is_due)
		recovery_again(recovery, why ? DELAY_MS : wait * MSEC_PER_SEC);
	else
		vgpu_attempts_add(&recovery->attempts, now);
out:
	mutex_unlock(&recoveries_lock);
	return is_due;
}

static void recovery_enable_vfs(struct pci_dev *pdev, int count)
{
	const struct pci_driver *driver;
	int rc = -ENODEV;

	device_lock(&pdev->dev);
	driver = pdev->dev.driver ? to_pci_driver(pdev->dev.driver) : NULL;
	if (driver && driver->sriov_configure)
		rc = driver->sriov_configure(pdev, count);
	device_unlock(&pdev->dev);
	if (rc < 0)
		pci_err(pdev, "its %d VFs are not enabled again: %d\n", count,
			rc);
}

/* VFs come and go in it, and so does the GPU where it is unplugged. */
static void recovery_reset(struct pci_dev *pdev)
{
	int count = pci_num_vf(pdev), rc;

	pci_info(pdev, "the GPU is taken from nouveau, and reset\n");
	device_release_driver(&pdev->dev);
	rc = pci_reset_function(pdev);
	if (rc) {
		pci_err(pdev, "the GPU was not reset: %d\n", rc);
		return;
	}
	if (device_attach(&pdev->dev) != 1) {
		pci_err(pdev, "nouveau was not bound again\n");
		return;
	}
	if (count && !pci_num_vf(pdev))
		recovery_enable_vfs(pdev, count);
	pci_info(pdev, "nouveau has the GPU again, with %d VFs\n",
		 pci_num_vf(pdev));
}

static void recovery_work(struct work_struct *work)
{
	struct adapter_recovery *recovery =
		container_of(work, struct adapter_recovery, work.work);
	struct pci_dev *pdev = recovery->pdev;

	if (!recovery_is_due(recovery))
		return;
	pci_lock_rescan_remove();
	if (device_is_registered(&pdev->dev) && pci_device_is_present(pdev))
		recovery_reset(pdev);
	else
		pci_err(pdev, "it is not reset: the GPU does not answer\n");
	pci_unlock_rescan_remove();
}

void adapter_recovery_schedule(struct adapter_recovery *recovery)
{
	recovery_again(recovery, DELAY_MS);
}

/* Callers hold recoveries_lock. */
static struct adapter_recovery *recovery_find(struct pci_dev *pdev)
{
	struct adapter_recovery *recovery;

	list_for_each_entry(recovery, &recoveries, link)
		if (recovery->pdev == pdev)
			return recovery;
	recovery = kzalloc(sizeof(*recovery), GFP_KERNEL);
	if (!recovery)
		return NULL;
	recovery->pdev = pci_dev_get(pdev);
	INIT_DELAYED_WORK(&recovery->work, recovery_work);
	list_add(&recovery->link, &recoveries);
	return recovery;
}

int adapter_recovery_attach(struct nouveau_pf *npf)
{
	struct adapter_recovery *recovery;

	mutex_lock(&recoveries_lock);
	recovery = recovery_find(npf->pf.pdev);
	if (recovery)
		recovery->npf = npf;
	npf->recovery = recovery;
	mutex_unlock(&recoveries_lock);
	return recovery ? 0 : -ENOMEM;
}

void adapter_recovery_detach(struct nouveau_pf *npf)
{
	mutex_lock(&recoveries_lock);
	if (npf->recovery)
		npf->recovery->npf = NULL;
	mutex_unlock(&recoveries_lock);
}

void adapter_recovery_finish(void)
{
	struct adapter_recovery *recovery, *next;

	list_for_each_entry_safe(recovery, next, &recoveries, link) {
		cancel_delayed_work_sync(&recovery->work);
		pci_dev_put(recovery->pdev);
		kfree(recovery);
	}
}
