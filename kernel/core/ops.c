// SPDX-License-Identifier: GPL-2.0-or-later
/* What the vGPU manager asks of the PF's driver: struct vgpu_core_ops. */
#include <linux/module.h>

#include "core.h"

static struct vgpu_core *ops_core(struct vgpu_pf *pf)
{
	WARN_ON_ONCE(pf->ops != &vgpu_core_pf_ops);
	return container_of(pf, struct vgpu_core, pf);
}

static int ops_control(struct vgpu_pf *pf, u32 command, void *params, u32 bytes)
{
	struct vgpu_core *core = ops_core(pf);
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	if (core->gsp)
		rc = vgpu_rm_control(core->gsp, command, params, bytes);
	up_read(&core->gsp_lock);
	return rc;
}

static int ops_control_internal(struct vgpu_pf *pf, u32 command, void *params,
				u32 bytes)
{
	struct vgpu_core *core = ops_core(pf);
	bool is_refused = false;
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	if (core->gsp)
		rc = vgpu_rm_try_control_internal(core->gsp, command, params,
						  bytes, &is_refused);
	up_read(&core->gsp_lock);
	if (is_refused)
		return -EREMOTEIO;
	/* The call failed, not what was asked for by it. */
	return rc == -EREMOTEIO ? -EIO : rc;
}

static int ops_map_fb(struct vgpu_pf *pf, u64 fb_offset, u64 bytes,
		      struct vgpu_fb_window *ret_window)
{
	return vgpu_bar1_map_open(&ops_core(pf)->resources.bar1, fb_offset,
				  bytes, ret_window);
}

static void ops_unmap_fb(struct vgpu_pf *pf, struct vgpu_fb_window *window)
{
	vgpu_bar1_map_close(&ops_core(pf)->resources.bar1, window);
}

int vgpu_core_scrub(struct vgpu_core *core, u64 fb_offset, u64 bytes)
{
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	if (core->gsp)
		rc = vgpu_scrubber_scrub(&core->scrubber, core->gsp, fb_offset,
					 bytes);
	up_read(&core->gsp_lock);
	if (rc)
		pci_err(core->hw.pdev,
			"framebuffer %#llx to %#llx was not scrubbed: %d\n",
			fb_offset, fb_offset + bytes, rc);
	return rc;
}

static int ops_scrub(struct vgpu_pf *pf, u64 fb_offset, u64 bytes)
{
	return vgpu_core_scrub(ops_core(pf), fb_offset, bytes);
}

static int ops_copy(struct vgpu_pf *pf, u64 fb_offset, void *data, u32 bytes,
		    bool is_to_fb)
{
	struct vgpu_core *core = ops_core(pf);
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	if (core->gsp)
		rc = vgpu_scrubber_copy(&core->scrubber, core->gsp, fb_offset,
					data, bytes, is_to_fb);
	up_read(&core->gsp_lock);
	return rc;
}

static int ops_get_use(struct vgpu_pf *pf)
{
	return vgpu_use_get(ops_core(pf));
}

static void ops_put_use(struct vgpu_pf *pf)
{
	vgpu_use_put(ops_core(pf));
}

static void ops_subscribe(struct vgpu_pf *pf,
			  struct vgpu_event_subscriber *subscriber)
{
	vgpu_events_subscribe(&ops_core(pf)->events, subscriber);
}

static void ops_unsubscribe(struct vgpu_pf *pf,
			    struct vgpu_event_subscriber *subscriber)
{
	vgpu_events_unsubscribe(&ops_core(pf)->events, subscriber);
}

static void ops_ring_doorbell(struct vgpu_pf *pf, u32 value)
{
	struct vgpu_hw *hw = &ops_core(pf)->hw;

	vgpu_hw_write(hw, VGPU_TASK_DOORBELL, value);
	/* Have it reach the GPU. */
	vgpu_hw_read(hw, VGPU_TASK_DOORBELL);
}

static const char *ops_why_wedged(struct vgpu_pf *pf)
{
	return READ_ONCE(ops_core(pf)->recovery.why_wedged);
}

static void ops_wedge(struct vgpu_pf *pf, const char *why)
{
	struct vgpu_core *core = ops_core(pf);

	down_read(&core->gsp_lock);
	if (core->gsp)
		vgpu_gsp_wedge(core->gsp, why);
	up_read(&core->gsp_lock);
}

static bool ops_is_present(struct vgpu_pf *pf)
{
	return vgpu_hw_is_present(&ops_core(pf)->hw);
}

const struct vgpu_core_ops vgpu_core_pf_ops = {
	.owner = THIS_MODULE,
	.control = ops_control,
	.control_internal = ops_control_internal,
	.map_fb = ops_map_fb,
	.unmap_fb = ops_unmap_fb,
	.scrub = ops_scrub,
	.copy = ops_copy,
	.get_use = ops_get_use,
	.put_use = ops_put_use,
	.subscribe = ops_subscribe,
	.unsubscribe = ops_unsubscribe,
	.ring_doorbell = ops_ring_doorbell,
	.why_wedged = ops_why_wedged,
	.wedge = ops_wedge,
	.is_present = ops_is_present,
};
