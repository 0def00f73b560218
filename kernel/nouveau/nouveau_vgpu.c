// SPDX-License-Identifier: GPL-2.0-or-later
/* VFs of a GPU that nouveau drives: on and off. */
#include <linux/pm_runtime.h>

#include <subdev/gsp.h>
#include <subdev/gsp_vgpu.h>

#include "nouveau_drv.h"

/* VFs are there only while their PF is in D0. */
int nouveau_vgpu_set_vfs(struct pci_dev *pdev, int count)
{
	struct nouveau_drm *drm = pci_get_drvdata(pdev);
	struct nvkm_gsp *gsp = nvxx_device(drm)->gsp;
	int before = pci_num_vf(pdev), rc;

	/* The firmware was told of none, and would not serve them. */
	if (count && !(gsp && gsp->vgpu)) {
		pci_err(pdev,
			"no VFs: nouveau was loaded without vgpu=1, or with other firmware\n");
		return -EOPNOTSUPP;
	}
	if (!before && count) {
		rc = pm_runtime_resume_and_get(&pdev->dev);
		if (rc < 0)
			return rc;
	}
	rc = pci_sriov_configure_simple(pdev, count);
	if (!pci_num_vf(pdev) && (before || count))
		pm_runtime_put_autosuspend(&pdev->dev);
	return rc;
}

void nouveau_vgpu_remove(struct pci_dev *pdev)
{
	if (!pci_num_vf(pdev))
		return;
	if (pci_vfs_assigned(pdev))
		pci_warn(pdev, "VFs are in use while nouveau is unbound\n");
	pci_disable_sriov(pdev);
	pm_runtime_put_autosuspend(&pdev->dev);
}
