// SPDX-License-Identifier: GPL-2.0-or-later
/* The VFs: what the GSP has to know of them before it starts; on and off. */
#include <linux/module.h>

#include "core.h"
#include "kernel/mgr/manager.h"

static bool is_vgpu_wanted = true;
module_param_named(vgpu, is_vgpu_wanted, bool, 0444);
MODULE_PARM_DESC(vgpu,
		 "whether there are to be vGPUs, and VFs for them (default: 1)");

void vgpu_core_get_vf_info(struct vgpu_core *core, struct vgpu_vf_info *ret_vfs)
{
	struct vgpu_vf_info vfs = {};
	u16 total = 0, offset = 0;
	int capability, at, i;

	*ret_vfs = vfs;
	capability = pci_find_ext_capability(core->hw.pdev, PCI_EXT_CAP_ID_SRIOV);
	if (!capability || !is_vgpu_wanted)
		return;
	pci_read_config_word(core->hw.pdev, capability + PCI_SRIOV_TOTAL_VF,
			     &total);
	pci_read_config_word(core->hw.pdev, capability + PCI_SRIOV_VF_OFFSET,
			     &offset);
	vfs.total = total;
	vfs.first_offset = offset;
	at = capability + PCI_SRIOV_BAR;
	for (i = 0; i < VGPU_VF_BARS; i++) {
		u32 low = 0, high = 0;

		pci_read_config_dword(core->hw.pdev, at, &low);
		if (low & PCI_BASE_ADDRESS_MEM_TYPE_64)
			pci_read_config_dword(core->hw.pdev, at + 4, &high);
		vfs.is_bar_64bit[i] = low & PCI_BASE_ADDRESS_MEM_TYPE_64;
		vfs.bar_address[i] = (u64)high << 32 | (low & ~0xfU);
		at += vfs.is_bar_64bit[i] ? 8 : 4;
	}
	*ret_vfs = vfs;
}

int vgpu_core_set_vfs(struct pci_dev *pdev, int count)
{
	struct vgpu_core *core = pci_get_drvdata(pdev);
	int rc;

	/* The firmware was told of none, and would not serve them. */
	if (count && !is_vgpu_wanted) {
		pci_err(pdev, "no VFs: the module was loaded with vgpu=0\n");
		return -EOPNOTSUPP;
	}
	rc = vgpu_mgr_prepare_vfs(&core->pf);
	if (rc) {
		pci_err(pdev, "the VFs stay as they are: one is in use\n");
		return rc;
	}
	rc = pci_sriov_configure_simple(pdev, count);
	vgpu_mgr_vfs_changed(&core->pf);
	return rc;
}
