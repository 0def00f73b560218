// SPDX-License-Identifier: GPL-2.0-or-later
/* Boots the GSP's firmware, and unloads it. */
#include "gsp.h"

#include <linux/delay.h>
#include <linux/iopoll.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/hw/regs.h"

#define VF_PARTITIONS 32	 /* the firmware's, when it is to serve vGPUs */
#define SUSPENDED_BIT 0x80000000 /* of mailbox 0, when it has unloaded */
#define SUSPENDED_US  2000000
#define POLL_US	      100
#define SLEEP_LEVEL   3 /* of power, for the RM */

/* Where WPR2 begins, 0 where there is none. */
u64 vgpu_gsp_wpr2_start(struct vgpu_hw *hw)
{
	u32 high = vgpu_hw_read(hw, REG_WPR2_HIGH) >> REG_WPR2_SHIFT;
	u32 low = vgpu_hw_read(hw, REG_WPR2_LOW) >> REG_WPR2_SHIFT;

	return high ? (u64)low << REG_WPR2_UNIT_SHIFT : 0;
}

/* A fresh copy of FWSEC, signed, without a command yet. */
static int gsp_copy_fwsec(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	const struct vgpu_falcon_image *image = &hw->fwsec.falcon;
	const u8 *signature;
	u32 version;
	int rc;

	rc = vgpu_falcon_fuse_version(&hw->gsp_falcon, image->ucode_id, &version);
	if (rc)
		return rc;
	signature = vgpu_fwsec_signature(&hw->fwsec, version);
	if (!signature) {
		pci_err(hw->pdev,
			"FWSEC has no signature for fuse version %u\n", version);
		return -ENOENT;
	}
	if (!gsp->fwsec.memory) {
		rc = vgpu_dma_create(hw, image->image_bytes, &gsp->fwsec);
		if (rc)
			return rc;
	}
	memcpy(gsp->fwsec.memory, image->image, image->image_bytes);
	vgpu_falcon_image_sign(image, gsp->fwsec.memory, signature);
	return 0;
}

static int gsp_run_frts(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	u32 mailbox[2] = {}, error;
	int rc;

	rc = gsp_copy_fwsec(gsp);
	if (rc == 0)
		rc = vgpu_fwsec_command_frts(&hw->fwsec, gsp->fwsec.memory,
					     gsp->layout.frts_offset,
					     VGPU_FRTS_BYTES);
	if (rc == 0)
		rc = vgpu_falcon_run(&hw->gsp_falcon, &hw->fwsec.falcon,
				     gsp->fwsec.address, mailbox);
	if (rc) {
		pci_err(hw->pdev, "FWSEC did not run: %d\n", rc);
		return rc;
	}
	error = vgpu_hw_read(hw, REG_FRTS_ERROR) >> REG_FRTS_ERROR_SHIFT;
	if (error || vgpu_gsp_wpr2_start(hw) != gsp->layout.frts_offset) {
		pci_err(hw->pdev, "FWSEC: error %#x, WPR2 at %#llx, not %#llx\n",
			error, vgpu_gsp_wpr2_start(hw), gsp->layout.frts_offset);
		return -EIO;
	}
	return 0;
}

/* Both halves of an address, as microcode is given it. */
static int gsp_run_booter(struct vgpu_hw *hw, const char *name,
			  const struct vgpu_booter *booter,
			  const struct vgpu_dma *copy, u64 argument)
{
	u32 mailbox[2] = {lower_32_bits(argument), upper_32_bits(argument)};
	int rc;

	rc = vgpu_falcon_run(&hw->sec2_falcon, &booter->falcon, copy->address,
			     mailbox);
	if (rc == 0 && mailbox[0])
		rc = -EIO;
	if (rc)
		pci_err(hw->pdev, "%s failed: %d, it says %#x\n", name, rc,
			mailbox[0]);
	return rc;
}

static u32 gsp_scrubber_handoff(struct vgpu_hw *hw)
{
	return vgpu_hw_read(hw, REG_SCRUBBER_HANDOFF) >>
	       REG_SCRUBBER_HANDOFF_SHIFT;
}

/* The GPU's own boot scrubs some of the framebuffer; a large heap needs more. */
static int gsp_run_scrubber(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	u32 mailbox[2] = {};
	int rc;

	if (gsp_scrubber_handoff(hw) >= REG_SCRUBBER_HANDOFF_DONE)
		return 0;
	rc = vgpu_falcon_run(&hw->sec2_falcon, &gsp->scrubber_image.falcon,
			     gsp->scrubber.address, mailbox);
	if (rc == 0 && gsp_scrubber_handoff(hw) < REG_SCRUBBER_HANDOFF_DONE)
		rc = -EIO;
	if (rc)
		pci_err(hw->pdev, "the scrubber failed: %d\n", rc);
	return rc;
}

int vgpu_gsp_reset_core(struct vgpu_gsp *gsp)
{
	struct vgpu_falcon *falcon = &gsp->hw->gsp_falcon;
	int rc = vgpu_falcon_reset_into_riscv(falcon);

	if (rc)
		return rc;
	vgpu_falcon_write(falcon, FALCON_MAILBOX_0,
			  lower_32_bits(gsp->libos.address));
	vgpu_falcon_write(falcon, FALCON_MAILBOX_1,
			  upper_32_bits(gsp->libos.address));
	return 0;
}

int vgpu_gsp_start_riscv(struct vgpu_gsp *gsp, u64 meta_address)
{
	struct vgpu_hw *hw = gsp->hw;
	int rc;

	rc = gsp_run_booter(hw, "Booter", &gsp->load_image, &gsp->booter_load,
			    meta_address);
	if (rc)
		return rc;
	vgpu_falcon_write(&hw->gsp_falcon, FALCON_OS, gsp->app_version);
	rc = vgpu_falcon_wait_riscv_active(&hw->gsp_falcon);
	if (rc)
		pci_err(hw->pdev, "the GSP does not run\n");
	return rc;
}

static int gsp_read_static_info(struct vgpu_gsp *gsp)
{
	u32 bytes = gsp->abi->static_info_bytes;
	void *buffer = kzalloc(bytes, GFP_KERNEL);
	int rc;

	if (!buffer)
		return -ENOMEM;
	rc = vgpu_gsp_call(gsp, VGPU_RPC_GET_GSP_STATIC_INFO, buffer, bytes);
	if (rc == 0)
		rc = gsp->abi->get_static_info(buffer, bytes, &gsp->info);
	kfree(buffer);
	return rc;
}

void vgpu_gsp_take_down(struct vgpu_gsp *gsp, u64 meta_address)
{
	struct vgpu_hw *hw = gsp->hw;
	u32 mailbox[2] = {}, error;
	int rc;

	rc = vgpu_falcon_reset(&hw->gsp_falcon);
	if (rc == 0)
		rc = gsp_copy_fwsec(gsp);
	if (rc == 0)
		rc = vgpu_fwsec_command_sb(&hw->fwsec, gsp->fwsec.memory);
	if (rc == 0)
		rc = vgpu_falcon_run(&hw->gsp_falcon, &hw->fwsec.falcon,
				     gsp->fwsec.address, mailbox);
	error = vgpu_hw_read(hw, REG_SB_ERROR) & REG_SB_ERROR_MASK;
	if (rc || error)
		pci_err(hw->pdev, "FWSEC did not end: %d, error %#x\n", rc,
			error);
	if (vgpu_gsp_wpr2_start(hw))
		gsp_run_booter(hw, "Booter's unload", &gsp->unload_image,
			       &gsp->booter_unload, meta_address);
	if (vgpu_gsp_wpr2_start(hw)) {
		pci_err(hw->pdev, "WPR2 is still up: reset the GPU\n");
		/* What may still run there must not write what is freed next. */
		pci_clear_master(hw->pdev);
	}
}

int vgpu_gsp_unload(struct vgpu_gsp *gsp, bool is_sleep)
{
	struct vgpu_rm_unloading unloading = {
		.is_suspend = is_sleep,
		.level = is_sleep ? SLEEP_LEVEL : 0,
	};
	u32 mailbox;
	int rc;

	/* One that is wedged is not asked. */
	if (gsp->is_wedged)
		return -EIO;
	rc = vgpu_gsp_call(gsp, VGPU_RPC_UNLOADING_GUEST_DRIVER, &unloading,
			   sizeof(unloading));
	if (rc == 0)
		rc = read_poll_timeout(vgpu_falcon_read, mailbox,
				       mailbox & SUSPENDED_BIT, POLL_US,
				       SUSPENDED_US, false,
				       &gsp->hw->gsp_falcon, FALCON_MAILBOX_0);
	if (rc)
		pci_warn(gsp->hw->pdev, "the firmware did not unload: %d\n", rc);
	return rc;
}

void vgpu_gsp_destroy(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	int i;

	vgpu_gsp_rpc_finish(gsp);
	for (i = 0; i < VGPU_GSP_LOGS; i++)
		vgpu_dma_destroy(hw, &gsp->logs[i]);
	vgpu_dma_destroy(hw, &gsp->rm_args);
	vgpu_dma_destroy(hw, &gsp->libos);
	vgpu_dma_destroy(hw, &gsp->wpr_meta);
	vgpu_dma_destroy(hw, &gsp->fwsec);
	vgpu_gsp_drop_files(gsp);
	kfree(gsp);
}

/* Everything that the GPU is shown, before it is shown any of it. */
static int gsp_prepare_boot(struct vgpu_gsp *gsp, const struct vgpu_vf_info *vfs)
{
	bool is_vgpu = vfs->total > 0;
	int rc;

	gsp->images.vf_partitions = is_vgpu ? VF_PARTITIONS : 0;
	rc = vgpu_gsp_rpc_init(gsp);
	if (rc == 0)
		rc = vgpu_gsp_load_files(gsp);
	if (rc == 0)
		rc = vgpu_gsp_make_layout(gsp, is_vgpu);
	if (rc == 0)
		rc = vgpu_gsp_make_arguments(gsp);
	if (rc == 0)
		rc = vgpu_gsp_post_system_info(gsp, vfs);
	return rc;
}

int vgpu_gsp_boot(struct vgpu_gsp *gsp, const struct vgpu_vf_info *vfs)
{
	ktime_t began = ktime_get(), started;
	int rc;

	rc = gsp_prepare_boot(gsp, vfs);
	if (rc)
		return rc;
	rc = gsp_run_frts(gsp);
	if (rc == 0)
		rc = vgpu_gsp_reset_core(gsp);
	if (rc == 0)
		rc = gsp_run_scrubber(gsp);
	if (rc == 0)
		rc = vgpu_gsp_start_riscv(gsp, gsp->wpr_meta.address);
	started = ktime_get();
	if (rc == 0)
		rc = vgpu_gsp_wait_init_done(gsp);
	if (rc)
		return rc;
	gsp->boot_driver_ms = (u32)ktime_ms_delta(started, began);
	gsp->boot_firmware_ms = (u32)ktime_ms_delta(ktime_get(), started);
	pci_info(gsp->hw->pdev, "GSP %s is up: %u ms of ours, %u ms of its own\n",
		 gsp->abi->version, gsp->boot_driver_ms, gsp->boot_firmware_ms);
	rc = gsp_read_static_info(gsp);
	if (rc)
		vgpu_gsp_unload(gsp, false);
	return rc;
}
