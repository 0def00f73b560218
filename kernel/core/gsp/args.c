// SPDX-License-Identifier: GPL-2.0-or-later
/* What the firmware is given before it starts. */
#include <linux/slab.h>

#include "kernel/core/pure/boot_args.h"
#include "gsp.h"
#include "kernel/core/hw/regs.h"

#define SYSTEM_INFO_MAX 1024

static_assert(SYSTEM_INFO_MAX % 8 == 0, "laid over a structure");

const char *const vgpu_gsp_log_names[VGPU_GSP_LOGS] = {
	"LOGINIT",
	"LOGINTR",
	"LOGRM",
};

int vgpu_gsp_make_layout(struct vgpu_gsp *gsp, bool is_vgpu)
{
	struct vgpu_hw *hw = gsp->hw;
	struct vgpu_wpr_request request = {
		.fb_bytes = (u64)vgpu_hw_read(hw, REG_USABLE_FB_MIB) << 20,
		.bootloader_bytes = gsp->images.bootloader_bytes,
		.gsp_bytes = gsp->images.gsp_bytes,
	};
	u32 vga;
	int rc;

	request.heap_bytes = gsp->abi->wpr_heap_bytes(request.fb_bytes, is_vgpu);
	if (!(vgpu_hw_read(hw, REG_DISPLAY_FUSE) & REG_DISPLAY_FUSE_DISABLED)) {
		vga = vgpu_hw_read(hw, REG_VGA_WORKSPACE);
		if (vga & REG_VGA_WORKSPACE_VALID)
			request.vga_workspace =
				(u64)(vga & REG_VGA_WORKSPACE_ADDRESS)
				<< REG_VGA_WORKSPACE_SHIFT;
	}
	rc = vgpu_wpr_layout_init(&gsp->layout, &request);
	if (rc)
		pci_err(hw->pdev, "%llu MiB are too few for the firmware\n",
			request.fb_bytes >> 20);
	return rc;
}

/* The log's first word is the firmware's; behind it are its pages' addresses. */
static int args_make_logs(struct vgpu_gsp *gsp)
{
	int i, rc;

	for (i = 0; i < VGPU_GSP_LOGS; i++) {
		rc = vgpu_dma_create(gsp->hw, VGPU_GSP_LOG_BYTES, &gsp->logs[i]);
		if (rc)
			return rc;
		vgpu_dma_list_pages(&gsp->logs[i],
				    (u64 *)gsp->logs[i].memory + 1);
		vgpu_libos_put(gsp->libos.memory, i, vgpu_gsp_log_names[i],
			       gsp->logs[i].address, VGPU_GSP_LOG_BYTES);
	}
	return 0;
}

void vgpu_gsp_put_rm_args(struct vgpu_gsp *gsp, bool is_resume)
{
	struct vgpu_rm_args args = {
		.queues_address = gsp->queues.address,
		.page_count = gsp->queues.bytes / VGPU_PAGE_BYTES,
		.command_queue_offset = VGPU_PAGE_BYTES,
		.status_queue_offset = VGPU_PAGE_BYTES + VGPU_GSP_QUEUE_BYTES,
		.is_resume = is_resume,
	};

	gsp->abi->put_rm_args(gsp->rm_args.memory, &args);
}

int vgpu_gsp_make_arguments(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	int rc;

	rc = vgpu_dma_create(hw, VGPU_PAGE_BYTES, &gsp->libos);
	if (rc == 0)
		rc = vgpu_dma_create(hw, VGPU_PAGE_BYTES, &gsp->rm_args);
	if (rc == 0)
		rc = vgpu_dma_create(hw, VGPU_PAGE_BYTES, &gsp->wpr_meta);
	if (rc == 0)
		rc = args_make_logs(gsp);
	if (rc)
		return rc;
	vgpu_gsp_put_rm_args(gsp, false);
	gsp->abi->put_wpr_meta(gsp->wpr_meta.memory, &gsp->layout, &gsp->images);
	vgpu_libos_put(gsp->libos.memory, VGPU_GSP_LOGS, "RMARGS",
		       gsp->rm_args.address, VGPU_PAGE_BYTES);
	return 0;
}

/* What the firmware reads first of its command queue. */
int vgpu_gsp_post_system_info(struct vgpu_gsp *gsp, const struct vgpu_vf_info *vfs)
{
	struct vgpu_hw *hw = gsp->hw;
	struct pci_dev *pdev = hw->pdev;
	struct vgpu_system_info info = {
		.registers_address = pci_resource_start(pdev, 0),
		.framebuffer_address = pci_resource_start(pdev, 1),
		.instance_address = pci_resource_start(pdev, 3),
		.domain = (u32)pci_domain_nr(pdev->bus),
		.bus = pdev->bus->number,
		.devfn = (u8)pdev->devfn,
		.max_user_address = TASK_SIZE_MAX,
		.config_mirror_offset = REG_CONFIG_MIRROR,
		.config_mirror_bytes = REG_CONFIG_MIRROR_BYTES,
		.device_id = (u32)pdev->device << 16 | pdev->vendor,
		.subsystem_id = (u32)pdev->subsystem_device << 16 |
				pdev->subsystem_vendor,
		.revision = pdev->revision,
		.page_bytes = PAGE_SIZE,
		.vfs = *vfs,
	};
	struct vgpu_registry_value sriov = {"RMSetSriovMode", 1};
	u32 bytes = gsp->abi->system_info_bytes;
	void *buffer;
	int rc;

	if (bytes > SYSTEM_INFO_MAX)
		return -EINVAL;
	buffer = kzalloc(SYSTEM_INFO_MAX, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	gsp->abi->put_system_info(buffer, &info);
	rc = vgpu_gsp_post(gsp, VGPU_RPC_GSP_SET_SYSTEM_INFO, buffer, bytes);
	if (rc == 0)
		rc = vgpu_registry_build(&sriov, vfs->total ? 1 : 0, buffer,
					 SYSTEM_INFO_MAX, &bytes);
	if (rc == 0)
		rc = vgpu_gsp_post(gsp, VGPU_RPC_SET_REGISTRY, buffer, bytes);
	kfree(buffer);
	return rc;
}
