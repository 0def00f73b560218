// SPDX-License-Identifier: GPL-2.0-or-later
/* A vGPU is made when its VF is opened, and destroyed when it is closed. */
#include <linux/cleanup.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "mgr.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

enum step {
	STEP_USE = 1,
	STEP_SCRUB,
	STEP_BOOT,
	STEP_CONFIGURE,
	STEP_DONE,
};

/* What a guest could have left in what is its own. */
static int lifecycle_scrub_place(struct vgpu_vf *vf)
{
	ktime_t began = ktime_get();
	int rc = vgpu_mgr_scrub(vf->mgr, &vf->place);

	vf->task.waited_us += ktime_us_delta(ktime_get(), began);
	return rc;
}

static const char *lifecycle_name_step(enum step step)
{
	switch (step) {
	case STEP_USE:
		return "the GPU cannot be used";
	case STEP_SCRUB:
		return "its framebuffer could not be scrubbed";
	case STEP_BOOT:
		return "its task did not boot";
	default:
		return "its task was not to be configured";
	}
}

static int lifecycle_run_step(struct vgpu_vf *vf, enum step step)
{
	int rc = vgpu_test_hooks_run(&vf->mgr->hooks, step);

	if (rc)
		return rc;
	switch (step) {
	case STEP_USE:
		rc = vf->mgr->pf->ops->get_use(vf->mgr->pf);
		vf->has_use = rc == 0;
		return rc;
	case STEP_SCRUB:
		return lifecycle_scrub_place(vf);
	case STEP_BOOT:
		return vgpu_task_boot(vf);
	default:
		return vgpu_task_configure(vf);
	}
}

/*
 * Nobody gets what its task has until the GPU is reset, which is due at once: a
 * firmware that does not end a task may do anything with it.
 */
static void lifecycle_orphan(struct vgpu_vf *vf, int rc)
{
	struct vgpu_mgr *mgr = vf->mgr;

	mutex_lock(&mgr->lock);
	WRITE_ONCE(vf->is_orphan, true);
	mutex_unlock(&mgr->lock);
	vf->is_dirty = true;
	if (vgpu_pf_is_wedged(mgr->pf))
		return;
	dev_err_ratelimited(
		&mgr->pdev->dev,
		"VF %u: its task was not ended: %d: place %u and channels from %u stay its own\n",
		vf->gfid, rc, vf->place.id, vf->place.first_chid);
	mgr->pf->ops->wedge(mgr->pf, "a vGPU's task does not end");
}

/* Undo all completed steps. Idempotent. */
static void lifecycle_take_down(struct vgpu_vf *vf)
{
	int rc;

	rc = vgpu_task_end(vf);
	if (rc)
		lifecycle_orphan(vf, rc);
	if (!vf->has_use)
		return;
	if (!vf->is_orphan) {
		rc = lifecycle_scrub_place(vf);
		vf->is_dirty = rc != 0;
		if (rc)
			dev_err_ratelimited(
				&vf->mgr->pdev->dev,
				"VF %u: its framebuffer could not be scrubbed: %d\n",
				vf->gfid, rc);
	}
	vf->mgr->pf->ops->put_use(vf->mgr->pf);
	vf->has_use = false;
}

static int lifecycle_bring_up(struct vgpu_vf *vf)
{
	enum step step;
	int rc;

	for (step = STEP_USE; step < STEP_DONE; step++) {
		rc = lifecycle_run_step(vf, step);
		if (rc)
			break;
	}
	if (step == STEP_DONE) {
		vf->why_failed = NULL;
		return 0;
	}
	dev_err_ratelimited(&vf->mgr->pdev->dev, "VF %u: no vGPU: %s: %d\n",
			    vf->gfid, lifecycle_name_step(step), rc);
	lifecycle_take_down(vf);
	vf->why_failed = lifecycle_name_step(step);
	return rc;
}

/* Count it before anything is done, so that VFs are not disabled meanwhile. */
static int lifecycle_count_open(struct vgpu_vf *vf)
{
	struct vgpu_mgr *mgr = vf->mgr;
	int rc = 0;

	if (vf->is_open)
		return -EBUSY;
	if (!vf->type)
		return -ENOENT;
	mutex_lock(&mgr->lock);
	if (mgr->is_gone || mgr->is_disabling || !mgr->is_ready ||
	    !try_module_get(mgr->pf->ops->owner))
		rc = -ENODEV;
	else
		mgr->open++;
	/* When it is closed its driver may have let the GPU go. */
	if (rc == 0)
		vf->owner = mgr->pf->ops->owner;
	mutex_unlock(&mgr->lock);
	return rc;
}

static void lifecycle_uncount_open(struct vgpu_vf *vf)
{
	mutex_lock(&vf->mgr->lock);
	vf->mgr->open--;
	mutex_unlock(&vf->mgr->lock);
	module_put(vf->owner);
	vf->owner = NULL;
}

/* How long something took that began at @began, and how much of it the GPU. */
static void lifecycle_log_time(struct vgpu_vf *vf, const char *what, ktime_t began)
{
	dev_info_ratelimited(
		&vf->mgr->pdev->dev,
		"VF %u: %s, place %u: %s in %lld ms, %lld ms of it the GPU's\n",
		vf->gfid, vf->type->name, vf->place.id, what,
		ktime_ms_delta(ktime_get(), began),
		div_s64(vf->task.waited_us, USEC_PER_MSEC));
}

static int lifecycle_open_vf(struct vgpu_vf *vf, struct vgpu_vf_user *user)
{
	ktime_t began = ktime_get();
	int rc;

	rc = lifecycle_count_open(vf);
	if (rc)
		return rc;
	vf->opener = task_tgid_nr(current);
	vf->task.waited_us = 0;
	vf->is_driver_loaded = false;
	memset(vf->engine_ns, 0, sizeof(vf->engine_ns));
	rc = lifecycle_bring_up(vf);
	trace_vgpu_created(pci_name(vf->mgr->pdev), vf->gfid, vf->type->id,
			   vf->place.id, rc, ktime_us_delta(ktime_get(), began));
	if (rc) {
		vf->opener = 0;
		lifecycle_uncount_open(vf);
		return rc;
	}
	vf->is_open = true;
	vf->is_lost = false;
	mutex_lock(&vf->user_lock);
	vf->user = user;
	mutex_unlock(&vf->user_lock);
	lifecycle_log_time(vf, "made", began);
	return 0;
}

struct vgpu_vf *vgpu_vf_open(struct pci_dev *pdev, struct vgpu_vf_user *user,
			     struct vgpu_vf_config *ret_config)
{
	struct vgpu_vf *vf = vgpu_mgr_get_vf(pdev);
	int rc;

	if (!vf)
		return ERR_PTR(-ENODEV);
	mutex_lock(&vf->lock);
	vf->dbdf = (u32)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
	rc = lifecycle_open_vf(vf, user);
	if (rc == 0)
		*ret_config = (struct vgpu_vf_config){
			.device = vf->type->guest_device,
			.subsystem = vf->type->guest_subsystem,
			.bar1_bytes = vf->type->bar1_bytes,
		};
	mutex_unlock(&vf->lock);
	vgpu_vf_state_changed(vf);
	if (rc == 0)
		return vf; /* with the reference to its manager */
	vgpu_mgr_put(vf->mgr);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_GPL(vgpu_vf_open);

void vgpu_vf_close(struct vgpu_vf *vf)
{
	ktime_t began = ktime_get();

	mutex_lock(&vf->user_lock);
	vf->user = NULL;
	mutex_unlock(&vf->user_lock);
	mutex_lock(&vf->lock);
	/* What was lost was taken down then. */
	if (!vf->is_lost) {
		vf->task.waited_us = 0;
		lifecycle_take_down(vf);
		trace_vgpu_destroyed(pci_name(vf->mgr->pdev), vf->gfid,
				     vf->type->id, vf->place.id,
				     vf->is_orphan ? -EIO : 0,
				     ktime_us_delta(ktime_get(), began));
		if (!vf->is_orphan)
			lifecycle_log_time(vf, "destroyed", began);
	}
	vf->why_failed = NULL;
	vf->is_open = false;
	vf->is_lost = false;
	vf->is_driver_loaded = false;
	vf->opener = 0;
	lifecycle_uncount_open(vf);
	mutex_unlock(&vf->lock);
	vgpu_vf_state_changed(vf);
	vgpu_mgr_put(vf->mgr);
}
EXPORT_SYMBOL_GPL(vgpu_vf_close);

int vgpu_vf_reset(struct vgpu_vf *vf)
{
	int rc = -ENODEV;

	mutex_lock(&vf->lock);
	if (!vf->is_lost)
		rc = vgpu_task_reset(vf);
	/* Of the guest's memory only; the task goes on using its heap. */
	if (rc == 0)
		rc = vgpu_mgr_scrub_fb(vf->mgr, &vf->place);
	vf->is_driver_loaded = false;
	mutex_unlock(&vf->lock);
	if (rc)
		dev_err_ratelimited(&vf->mgr->pdev->dev,
				    "VF %u: not reset: %d\n", vf->gfid, rc);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_vf_reset);

int vgpu_vf_set_bus_master(struct vgpu_vf *vf, bool is_on)
{
	guard(mutex)(&vf->lock);
	return vf->is_lost ? -ENODEV : vgpu_task_set_bus_master(vf, is_on);
}
EXPORT_SYMBOL_GPL(vgpu_vf_set_bus_master);

/* Why its vGPU cannot go on: a text for good; NULL: it can. */
static const char *lifecycle_find_loss(const struct vgpu_vf *vf)
{
	/* Of the task: cleared when it is ended, before the next one has a user. */
	if (test_bit(VGPU_TASK_HAS_CRASHED, &vf->events))
		return "its task crashed";
	if (READ_ONCE(vf->task.is_dead))
		return "its task does not answer";
	if (vgpu_pf_is_wedged(vf->mgr->pf))
		return "the GPU's firmware is wedged";
	return NULL;
}

/* The one of now: it may have been closed, and opened by another, meanwhile. */
static void lifecycle_tell_user(struct vgpu_vf *vf, const char *why)
{
	mutex_lock(&vf->user_lock);
	if (vf->user && (why || lifecycle_find_loss(vf))) {
		vf->user->lost(vf->user);
		vf->user = NULL;
	}
	mutex_unlock(&vf->user_lock);
}

void vgpu_vf_lose(struct vgpu_vf *vf, const char *why)
{
	bool is_lost = false;

	/* One that is all right may hold its lock for long. */
	if (!why && !lifecycle_find_loss(vf))
		return;
	/* First the guest is kept out, then its vGPU is taken down. */
	lifecycle_tell_user(vf, why);
	mutex_lock(&vf->lock);
	if (vf->is_open && !vf->is_lost) {
		if (!why)
			why = lifecycle_find_loss(vf);
		is_lost = why;
	}
	if (is_lost) {
		/* It may have been opened in between. */
		lifecycle_tell_user(vf, why);
		trace_vgpu_lost(pci_name(vf->mgr->pdev), vf->gfid, why);
		vgpu_vf_tell_loss(vf, why);
		vf->is_lost = true;
		vf->why_failed = why;
		lifecycle_take_down(vf);
	}
	mutex_unlock(&vf->lock);
	if (is_lost)
		vgpu_vf_state_changed(vf);
}

/* Readers do not wait for one that is being opened. */
int vgpu_vf_print_state(struct vgpu_vf *vf, char *buf)
{
	const char *why = READ_ONCE(vf->why_failed);

	if (READ_ONCE(vf->is_orphan))
		why = "its task did not end: the GPU is to be reset";
	if (why)
		return sysfs_emit(buf, "failed: %s\n", why);
	if (READ_ONCE(vf->is_open))
		return sysfs_emit(buf, "active\n");
	return sysfs_emit(buf, READ_ONCE(vf->type) ? "defined\n" : "none\n");
}
