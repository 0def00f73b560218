// SPDX-License-Identifier: GPL-2.0-or-later
/* What the vGPU manager asks of the PF's driver (struct vgpu_core_ops), by nouveau. */
#include <linux/module.h>

#include "adapter.h"
#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/pure/rm_status.h"

static struct nouveau_pf *ops_pf(struct vgpu_pf *pf)
{
	WARN_ON_ONCE(pf->ops != &adapter_pf_ops);
	return container_of(pf, struct nouveau_pf, pf);
}

static int ops_control(struct vgpu_pf *pf, u32 command, void *params, u32 bytes)
{
	u32 status = VGPU_RM_OK;
	int rc = nouveau_vgpu_control(ops_pf(pf)->gpu, false, command, params,
				      bytes, &status);

	return rc ? rc : vgpu_rm_status_errno(status);
}

static int ops_control_internal(struct vgpu_pf *pf, u32 command, void *params,
				u32 bytes)
{
	u32 status = VGPU_RM_OK;
	int rc = nouveau_vgpu_control(ops_pf(pf)->gpu, true, command, params,
				      bytes, &status);

	if (rc == 0 && status != VGPU_RM_OK) {
		dev_err_ratelimited(&pf->pdev->dev,
				    "GSP: control %#x failed: status %#x\n",
				    command, status);
		rc = -EREMOTEIO;
	}
	return rc;
}

static int ops_map_fb(struct vgpu_pf *pf, u64 fb_offset, u64 bytes,
		      struct vgpu_fb_window *ret_window)
{
	void __iomem *memory;
	int rc;

	rc = nouveau_vgpu_map(ops_pf(pf)->gpu, fb_offset, bytes, &memory);
	if (rc)
		return rc;
	*ret_window = (struct vgpu_fb_window){
		.memory = memory,
		.bytes = bytes,
	};
	return 0;
}

static void ops_unmap_fb(struct vgpu_pf *pf, struct vgpu_fb_window *window)
{
	nouveau_vgpu_unmap(ops_pf(pf)->gpu, window->memory);
}

static int ops_scrub(struct vgpu_pf *pf, u64 fb_offset, u64 bytes)
{
	int rc = nouveau_vgpu_scrub(ops_pf(pf)->gpu, fb_offset, bytes);

	if (rc)
		pci_err(pf->pdev,
			"framebuffer %#llx to %#llx was not scrubbed: %d\n",
			fb_offset, fb_offset + bytes, rc);
	return rc;
}

static int ops_copy(struct vgpu_pf *pf, u64 fb_offset, void *data, u32 bytes,
		    bool is_to_fb)
{
	return nouveau_vgpu_copy(ops_pf(pf)->gpu, fb_offset, data, bytes,
				 is_to_fb);
}

/* While it has VFs nouveau does not let the GPU sleep. */
static int ops_get_use(struct vgpu_pf *pf)
{
	struct nouveau_pf *npf = ops_pf(pf);

	if (READ_ONCE(npf->is_closed) || nouveau_vgpu_why_wedged(npf->gpu))
		return -ENODEV;
	atomic_inc(&npf->uses);
	return 0;
}

static void ops_put_use(struct vgpu_pf *pf)
{
	atomic_dec(&ops_pf(pf)->uses);
}

static void ops_subscribe(struct vgpu_pf *pf,
			  struct vgpu_event_subscriber *subscriber)
{
	vgpu_events_subscribe(&ops_pf(pf)->events, subscriber);
}

static void ops_unsubscribe(struct vgpu_pf *pf,
			    struct vgpu_event_subscriber *subscriber)
{
	vgpu_events_unsubscribe(&ops_pf(pf)->events, subscriber);
}

static void ops_ring_doorbell(struct vgpu_pf *pf, u32 value)
{
	nouveau_vgpu_write_register(ops_pf(pf)->gpu, VGPU_TASK_DOORBELL, value);
}

static const char *ops_why_wedged(struct vgpu_pf *pf)
{
	return nouveau_vgpu_why_wedged(ops_pf(pf)->gpu);
}

static void ops_wedge(struct vgpu_pf *pf, const char *why)
{
	nouveau_vgpu_wedge(ops_pf(pf)->gpu, why);
}

static bool ops_is_present(struct vgpu_pf *pf)
{
	return pci_device_is_present(pf->pdev);
}

const struct vgpu_core_ops adapter_pf_ops = {
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
