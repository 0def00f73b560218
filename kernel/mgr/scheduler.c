// SPDX-License-Identifier: GPL-2.0-or-later
/* How vGPUs share the engines' time: policy and time slice. */
#include "mgr.h"

#define ENGINE_GRAPHICS 1 /* NV2080_ENGINE_TYPE_GR0 */
#define NS_PER_US	1000

static int scheduler_control(struct vgpu_mgr *mgr, u32 command, void *params,
			     u32 bytes)
{
	return mgr->pf->ops->control(mgr->pf, command, params, bytes);
}

int vgpu_mgr_read_scheduler(struct vgpu_mgr *mgr)
{
	struct vgpu_task_scheduler_caps caps = {.engine = ENGINE_GRAPHICS};
	int rc;

	rc = scheduler_control(mgr, VGPU_TASK_GET_SCHEDULER_CAPS, &caps,
			       sizeof(caps));
	if (rc)
		return rc;
	mgr->timeslice_min_us = DIV_ROUND_UP(caps.min_timeslice_ns, NS_PER_US);
	mgr->timeslice_max_us = caps.max_timeslice_ns / NS_PER_US;
	return 0;
}

static int scheduler_send_state(struct vgpu_mgr *mgr, u32 policy, u32 timeslice_us)
{
	struct vgpu_task_scheduler state = {
		.engine = ENGINE_GRAPHICS,
		.policy = policy,
		.timeslice_ns = timeslice_us * NS_PER_US,
	};

	return scheduler_control(mgr, VGPU_TASK_SET_SCHEDULER, &state,
				 sizeof(state));
}

int vgpu_mgr_tell_scheduler(struct vgpu_mgr *mgr)
{
	/* It starts with best effort, by slices of its own. */
	if (mgr->policy == VGPU_TASK_BEST_EFFORT && !mgr->timeslice_us)
		return 0;
	return scheduler_send_state(mgr, mgr->policy, mgr->timeslice_us);
}

int vgpu_mgr_set_policy(struct vgpu_mgr *mgr, u32 policy)
{
	int rc = 0;

	mutex_lock(&mgr->lock);
	if (policy == mgr->policy)
		goto out;
	if (mgr->open)
		rc = -EBUSY;
	else if (policy == VGPU_TASK_FIXED_SHARE &&
		 mgr->mode == VGPU_PLACE_HETEROGENEOUS)
		rc = -EINVAL;
	else
		rc = scheduler_send_state(mgr, policy, mgr->timeslice_us);
	if (rc == 0)
		mgr->policy = policy;
out:
	mutex_unlock(&mgr->lock);
	return rc;
}

int vgpu_mgr_set_timeslice(struct vgpu_mgr *mgr, u32 us)
{
	int rc;

	if (us && (us < mgr->timeslice_min_us || us > mgr->timeslice_max_us))
		return -ERANGE;
	mutex_lock(&mgr->lock);
	rc = scheduler_send_state(mgr, mgr->policy, us);
	if (rc == 0)
		mgr->timeslice_us = us;
	mutex_unlock(&mgr->lock);
	return rc;
}
