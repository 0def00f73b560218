// SPDX-License-Identifier: GPL-2.0-or-later
/* The vGPU's life: made and destroyed, reset, its bus mastering, its loss. */
#include "vfio.h"

#include "compat.h"

/* What a read of a PCI device gives that is not there. */
#define NOTHING 0xff

bool vgpu_vfio_is_lost(const struct vgpu_vfio *v)
{
	return READ_ONCE(v->is_lost);
}

static void state_lose(struct vgpu_vfio *v)
{
	WRITE_ONCE(v->is_lost, true);
	schedule_work(&v->lost_work);
}

bool vgpu_vfio_check_gone(struct vgpu_vfio *v)
{
	/* VFs have no ids of their own: it is the PF that is asked. */
	if (pci_device_is_present(v->core.pdev))
		return false;
	mutex_lock(&v->lock);
	if (v->vgpu)
		state_lose(v);
	mutex_unlock(&v->lock);
	return true;
}

/*
 * The vGPU's task is ended when this returns: the VF's DMA ends here. The rest is
 * done by work, for memory_lock is held where we wait for locks of the manager's.
 */
static void state_on_lost(struct vgpu_vf_user *user)
{
	struct vgpu_vfio *v = container_of(user, struct vgpu_vfio, user);

	pci_clear_master(v->core.pdev);
	state_lose(v);
}

static void state_lost_work(struct work_struct *work)
{
	struct vgpu_vfio *v = container_of(work, struct vgpu_vfio, lost_work);
	struct pci_dev *pdev = v->core.pdev;

	if (!v->is_loss_told) {
		v->is_loss_told = true;
		dev_err_ratelimited(&pdev->dev,
				    "the vGPU is lost; its user is told\n");
		/* By the error interrupt, which tells of AER's errors, too. */
		vfio_pci_core_aer_err_detected(pdev, pci_channel_io_perm_failure);
	}
	pci_clear_master(pdev);
	/* Faults find is_lost set, and bring nothing of the VF back. */
	compat_unmap_bars(&v->core);
}

void vgpu_vfio_init_lost(struct vgpu_vfio *v)
{
	INIT_WORK(&v->lost_work, state_lost_work);
	v->user.lost = state_on_lost;
}

static int state_check_bar1(struct vgpu_vfio *v)
{
	struct pci_dev *pdev = v->core.pdev;
	u64 have = pci_resource_len(pdev, VFIO_PCI_BAR1_REGION_INDEX);
	u64 want = v->config.bar1_bytes;

	if ((pci_resource_flags(pdev, VFIO_PCI_BAR1_REGION_INDEX) &
	     IORESOURCE_MEM_64) &&
	    want && want <= have)
		return 0;
	dev_err_ratelimited(&pdev->dev,
			    "the type has a BAR1 of %llu bytes, the VF has %llu\n",
			    want, have);
	return -EINVAL;
}

/* The core has reset the VF, and turned its bus mastering off. */
int vgpu_vfio_start(struct vgpu_vfio *v)
{
	struct pci_dev *pdev = v->core.pdev;
	struct vgpu_vf *vgpu;
	int rc;

	if (!v->core.reset_works) {
		dev_err_ratelimited(&pdev->dev, "the VF cannot be reset\n");
		return -EIO;
	}
	v->ones = alloc_page(GFP_KERNEL_ACCOUNT);
	if (!v->ones)
		return -ENOMEM;
	memset(page_address(v->ones), NOTHING, PAGE_SIZE);
	v->is_lost = false;
	v->is_loss_told = false;

	/* A reset by sysfs waits until there is something to be reset. */
	mutex_lock(&v->lock);
	v->is_master = false;
	v->bar1 = 0;
	v->state = VFIO_DEVICE_STATE_RUNNING;
	vgpu = vgpu_vf_open(pdev, &v->user, &v->config);
	rc = PTR_ERR_OR_ZERO(vgpu);
	if (rc == 0) {
		rc = state_check_bar1(v);
		if (rc)
			vgpu_vf_close(vgpu);
		else
			v->vgpu = vgpu;
	}
	mutex_unlock(&v->lock);
	if (rc) {
		cancel_work_sync(&v->lost_work);
		__free_page(v->ones);
	}
	return rc;
}

/* Nothing maps the BARs any more; what is left of the VF's DMA ends here. */
void vgpu_vfio_stop(struct vgpu_vfio *v)
{
	struct vgpu_vf *vgpu;

	mutex_lock(&v->lock);
	vgpu_vfio_end_migration(v);
	pci_clear_master(v->core.pdev);
	/* Its task is not told: it is ended next, and may not answer. */
	vgpu = v->vgpu;
	v->vgpu = NULL;
	mutex_unlock(&v->lock);

	vgpu_vf_close(vgpu);
	cancel_work_sync(&v->lost_work);
	__free_page(v->ones);
}

/* With the lock held. */
static int state_tell_master(struct vgpu_vfio *v, bool is_on)
{
	int rc = 0;

	if (is_on != v->is_master)
		rc = vgpu_vf_set_bus_master(v->vgpu, is_on);
	if (rc == 0)
		v->is_master = is_on;
	return rc;
}

int vgpu_vfio_update_master(struct vgpu_vfio *v)
{
	struct pci_dev *pdev = v->core.pdev;
	u16 command = 0;
	int rc = -ENODEV;

	mutex_lock(&v->lock);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (!vgpu_vfio_is_lost(v))
		rc = state_tell_master(v, command & PCI_COMMAND_MASTER);
	/* The VF does not do what its vGPU knows nothing of. */
	if (rc && (command & PCI_COMMAND_MASTER))
		pci_clear_master(pdev);
	mutex_unlock(&v->lock);
	return rc;
}

static struct vgpu_vfio *state_of_pdev(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = pci_get_drvdata(pdev);

	return container_of(core, struct vgpu_vfio, core);
}

/*
 * What state the PCI core saves, and restores after the reset, is without bus
 * mastering then, as a function is that was reset.
 */
static void state_reset_prepare(struct pci_dev *pdev)
{
	struct vgpu_vfio *v = state_of_pdev(pdev);

	mutex_lock(&v->lock);
	/* Its task is told by the reset. */
	if (v->vgpu && !vgpu_vfio_is_lost(v))
		pci_clear_master(pdev);
	mutex_unlock(&v->lock);
}

/*
 * The vGPU is reset here and now, with the core's memory_lock held: until it is
 * done, nothing of its framebuffer can be seen, and faults wait. Other drivers
 * that migrate defer this, for their lock is held when user memory is touched;
 * ours never is.
 */
static void state_reset_done(struct pci_dev *pdev)
{
	struct vgpu_vfio *v = state_of_pdev(pdev);
	int rc;

	mutex_lock(&v->lock);
	if (v->vgpu && !vgpu_vfio_is_lost(v)) {
		vgpu_vfio_end_migration(v);
		rc = vgpu_vf_reset(v->vgpu);
		v->is_master = false;
		if (rc) {
			dev_err_ratelimited(&pdev->dev,
					    "the vGPU was not reset: %pe\n",
					    ERR_PTR(rc));
			state_lose(v);
		}
	}
	mutex_unlock(&v->lock);
}

const struct pci_error_handlers vgpu_vfio_error_handlers = {
	.error_detected = vfio_pci_core_aer_err_detected,
	.reset_prepare = state_reset_prepare,
	.reset_done = state_reset_done,
};
