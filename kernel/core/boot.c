// SPDX-License-Identifier: GPL-2.0-or-later
/* Brings the GPU up for vGPUs, and takes it down: GSP, RM, resources, scrubber. */
#include <linux/slab.h>

#include "core.h"

static void boot_on_wedged(struct vgpu_gsp *gsp, const char *why)
{
	struct vgpu_core *core = gsp->owner;

	WRITE_ONCE(core->recovery.why_wedged, why);
	/* One that is still booting is taken down by whoever boots it. */
	if (gsp->is_up)
		vgpu_recovery_schedule(core);
	vgpu_events_dispatch(&core->events, VGPU_EVENT_WEDGED, NULL, 0);
}

static bool boot_on_event(struct vgpu_gsp *gsp, u32 event, const u8 *payload,
			  u32 bytes)
{
	struct vgpu_core *core = gsp->owner;

	return vgpu_events_dispatch(&core->events, event, payload, bytes);
}

static bool boot_is_to_stop(struct vgpu_gsp *gsp)
{
	struct vgpu_core *core = gsp->owner;

	return rwsem_is_contended(&core->gsp_lock);
}

static const struct vgpu_gsp_ops boot_gsp_ops = {
	.on_wedged = boot_on_wedged,
	.on_event = boot_on_event,
	.is_to_stop = boot_is_to_stop,
};

int vgpu_core_open_gsp(struct vgpu_core *core, struct vgpu_gsp *gsp)
{
	int rc;

	rc = vgpu_rm_read_gsp_vector(gsp, &gsp->vector);
	if (rc) {
		pci_err(core->hw.pdev, "the GSP has no interrupt: %d\n", rc);
		return rc;
	}
	rc = vgpu_gsp_enable_interrupts(gsp);
	if (rc)
		return rc;
	rc = vgpu_resources_start(&core->resources, &core->info,
				  core->properties.vmmu_segment_bytes);
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
		WRITE_ONCE(core->recovery.why_wedged, NULL);
	mutex_unlock(&gsp->lock);
	return 0;
}

void vgpu_core_close_gsp(struct vgpu_core *core)
{
	struct vgpu_gsp *gsp = core->gsp;

	vgpu_scrubber_stop(&core->scrubber, gsp);
	vgpu_bar1_map_stop(&core->resources.bar1);
	vgpu_gsp_disable_interrupts(gsp);
	gsp->is_up = false;
	core->gsp = NULL;
}

static int boot_check_wpr2(struct vgpu_core *core)
{
	if (!vgpu_gsp_wpr2_start(&core->hw))
		return 0;
	pci_err(core->hw.pdev,
		"another driver's firmware is still there: reset the GPU\n");
	return -EBUSY;
}

static int boot_gsp(struct vgpu_core *core, struct vgpu_gsp *gsp)
{
	struct vgpu_vf_info vfs;
	int rc;

	vgpu_core_get_vf_info(core, &vfs);
	rc = vgpu_gsp_boot(gsp, &vfs);
	if (rc)
		return rc;
	core->info = gsp->info;
	core->boot_driver_ms = gsp->boot_driver_ms;
	core->boot_firmware_ms = gsp->boot_firmware_ms;
	rc = vgpu_rm_start(gsp, &core->properties);
	if (rc)
		goto err_unload;
	core->pf.vf_total = core->info.vf_total;
	core->pf.engines = core->properties.engines;
	core->pf.is_ecc_on = core->properties.is_ecc_on;
	rc = vgpu_core_open_gsp(core, gsp);
	if (rc)
		goto err_rm;
	pci_info(core->hw.pdev, "%s: %llu MiB, %u VFs\n", core->info.name,
		 core->info.fb_bytes >> 20, core->info.vf_total);
	return 0;

err_rm:
	vgpu_rm_stop(gsp);
err_unload:
	vgpu_gsp_unload(gsp, false);
	return rc;
}

static int boot_start(struct vgpu_core *core)
{
	struct vgpu_gsp *gsp;
	int rc;

	rc = boot_check_wpr2(core);
	if (rc)
		return rc;
	gsp = kzalloc(sizeof(*gsp), GFP_KERNEL);
	if (!gsp)
		return -ENOMEM;
	gsp->hw = &core->hw;
	gsp->abi = core->abi;
	gsp->ops = &boot_gsp_ops;
	gsp->owner = core;
	rc = boot_gsp(core, gsp);
	if (rc == 0)
		return 0;
	vgpu_debug_keep_logs(core, gsp);
	if (vgpu_gsp_wpr2_start(&core->hw))
		vgpu_gsp_take_down(gsp, VGPU_GSP_NO_META);
	vgpu_gsp_destroy(gsp);
	return rc;
}

int vgpu_core_boot(struct vgpu_core *core)
{
	int rc = vgpu_hw_wait_gfw_boot(&core->hw);

	if (rc)
		return rc;
	down_write(&core->gsp_lock);
	rc = boot_start(core);
	up_write(&core->gsp_lock);
	return rc;
}

static void boot_stop(struct vgpu_core *core)
{
	struct vgpu_gsp *gsp = core->gsp;

	vgpu_core_close_gsp(core);
	if (gsp->is_wedged)
		vgpu_debug_keep_logs(core, gsp);
	vgpu_rm_stop(gsp);
	vgpu_gsp_unload(gsp, false);
	vgpu_gsp_take_down(gsp, VGPU_GSP_NO_META);
	/* Its channel may run on, until the GPU is reset. */
	if (gsp->is_wedged)
		pci_clear_master(core->hw.pdev);
	vgpu_scrubber_release(&core->scrubber);
	vgpu_gsp_destroy(gsp);
}

void vgpu_core_unload(struct vgpu_core *core)
{
	down_write(&core->gsp_lock);
	if (core->gsp)
		boot_stop(core);
	up_write(&core->gsp_lock);
}
