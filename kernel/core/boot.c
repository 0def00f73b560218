// SPDX-License-Identifier: GPL-2.0-or-later
/* Brings the GPU up for vGPUs, and takes it down: GSP, RM, resources, scrubber. */
#include <linux/slab.h>

#include "core.h"
#include "kernel/core/gsp/gsp.h"
#include "kernel/core/rm/rm.h"
#include "kernel/core/rm/scrub.h"

int vgpu_gsp_open(struct vgpu_gsp *gsp)
{
	struct vgpu_core *core = gsp->core;
	int rc;

	rc = vgpu_rm_read_gsp_vector(gsp, &gsp->vector);
	if (rc) {
		pci_err(core->pdev, "the GSP has no interrupt: %d\n", rc);
		return rc;
	}
	rc = vgpu_gsp_enable_interrupts(gsp);
	if (rc)
		return rc;
	rc = vgpu_resources_start(core);
	if (rc) {
		vgpu_gsp_disable_interrupts(gsp);
		return rc;
	}
	core->gsp = gsp;
	mutex_lock(&gsp->lock);
	gsp->is_up = true;
	if (gsp->is_wedged)
		vgpu_recovery_schedule(core);
	else
		WRITE_ONCE(core->why_wedged, NULL);
	mutex_unlock(&gsp->lock);
	return 0;
}

void vgpu_gsp_close(struct vgpu_gsp *gsp)
{
	vgpu_scrubber_stop(gsp);
	vgpu_resources_stop(gsp->core);
	vgpu_gsp_disable_interrupts(gsp);
	gsp->is_up = false;
	gsp->core->gsp = NULL;
}

static int boot_start(struct vgpu_core *core)
{
	struct vgpu_vf_info vfs;
	struct vgpu_gsp *gsp;
	int rc;

	if (vgpu_gsp_wpr2_start(core)) {
		pci_err(core->pdev,
			"another driver's firmware is still there: reset the GPU\n");
		return -EBUSY;
	}
	gsp = kzalloc(sizeof(*gsp), GFP_KERNEL);
	if (!gsp)
		return -ENOMEM;
	gsp->core = core;
	vgpu_core_get_vf_info(core, &vfs);
	rc = vgpu_gsp_boot(gsp, &vfs);
	if (rc)
		goto err_take_down;
	rc = vgpu_rm_start(gsp);
	if (rc)
		goto err_unload;
	rc = vgpu_gsp_open(gsp);
	if (rc)
		goto err_rm;
	pci_info(core->pdev, "%s: %llu MiB, %u VFs\n", core->info.name,
		 core->info.fb_bytes >> 20, core->info.vf_total);
	return 0;

err_rm:
	vgpu_rm_stop(gsp);
err_unload:
	vgpu_gsp_unload(gsp, false);
err_take_down:
	vgpu_debug_keep_logs(gsp);
	if (vgpu_gsp_wpr2_start(core))
		vgpu_gsp_take_down(gsp, VGPU_GSP_NO_META);
	vgpu_gsp_destroy(gsp);
	return rc;
}

int vgpu_gsp_start(struct vgpu_core *core)
{
	int rc;

	down_write(&core->gsp_lock);
	rc = boot_start(core);
	up_write(&core->gsp_lock);
	return rc;
}

static void boot_stop(struct vgpu_gsp *gsp)
{
	vgpu_gsp_close(gsp);
	if (gsp->is_wedged)
		vgpu_debug_keep_logs(gsp);
	vgpu_rm_stop(gsp);
	vgpu_gsp_unload(gsp, false);
	vgpu_gsp_take_down(gsp, VGPU_GSP_NO_META);
	/* Its channel may run on, until the GPU is reset. */
	if (gsp->is_wedged)
		pci_clear_master(gsp->core->pdev);
	vgpu_scrubber_finish(gsp->core);
	vgpu_gsp_destroy(gsp);
}

void vgpu_gsp_stop(struct vgpu_core *core)
{
	down_write(&core->gsp_lock);
	if (core->gsp)
		boot_stop(core->gsp);
	up_write(&core->gsp_lock);
}
