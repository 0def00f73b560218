// SPDX-License-Identifier: GPL-2.0-or-later
/* How many vGPUs are open, and whether more may be. */
#include "core.h"

int vgpu_use_get(struct vgpu_core *core)
{
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	mutex_lock(&core->use.lock);
	if (core->gsp && !READ_ONCE(core->recovery.why_wedged) &&
	    !core->use.is_closed) {
		core->use.count++;
		rc = 0;
	}
	mutex_unlock(&core->use.lock);
	up_read(&core->gsp_lock);
	return rc;
}

void vgpu_use_put(struct vgpu_core *core)
{
	mutex_lock(&core->use.lock);
	if (!WARN_ON(core->use.count == 0))
		core->use.count--;
	mutex_unlock(&core->use.lock);
}

u32 vgpu_use_count(struct vgpu_core *core)
{
	u32 users;

	mutex_lock(&core->use.lock);
	users = core->use.count;
	mutex_unlock(&core->use.lock);
	return users;
}

void vgpu_use_close(struct vgpu_core *core)
{
	mutex_lock(&core->use.lock);
	core->use.is_closed = true;
	mutex_unlock(&core->use.lock);
}

int vgpu_use_close_if_unused(struct vgpu_core *core)
{
	int rc = 0;

	mutex_lock(&core->use.lock);
	if (core->use.count)
		rc = -EBUSY;
	else
		core->use.is_closed = true;
	mutex_unlock(&core->use.lock);
	return rc;
}

void vgpu_use_reopen(struct vgpu_core *core)
{
	mutex_lock(&core->use.lock);
	core->use.is_closed = false;
	mutex_unlock(&core->use.lock);
}
