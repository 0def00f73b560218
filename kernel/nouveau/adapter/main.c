// SPDX-License-Identifier: GPL-2.0-or-later
/* vgpu_nouveau: has the vGPU manager on GPUs that nouveau drives. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "adapter.h"
#include "kernel/core/pure/bar1.h"
#include "kernel/core/pf_files.h"
#include "kernel/core/rm/pf.h"
#include "kernel/mgr/manager.h"

static int main_read_static_info(struct nouveau_pf *npf)
{
	u32 bytes = npf->pf.abi->static_info_bytes;
	void *buffer = kzalloc(bytes, GFP_KERNEL);
	int rc;

	if (!buffer)
		return -ENOMEM;
	rc = nouveau_vgpu_read_static_info(npf->gpu, buffer, bytes);
	if (rc == 0)
		rc = npf->pf.abi->get_static_info(buffer, bytes, &npf->info);
	kfree(buffer);
	return rc;
}

static int main_control(void *owner, u32 command, void *params, u32 bytes)
{
	return adapter_pf_ops.control(owner, command, params, bytes);
}

static int main_make_allocators(struct nouveau_pf *npf)
{
	const struct vgpu_pf_caller caller = {
		.pdev = npf->pf.pdev,
		.abi = npf->pf.abi,
		.control = main_control,
		.owner = &npf->pf,
	};
	struct vgpu_properties properties;
	int rc = vgpu_pf_read_properties(&caller, &properties);

	if (rc)
		return rc;
	/* Where nouveau's part ends, a segment does. */
	if (!IS_ALIGNED(npf->host.fb_end, properties.vmmu_segment_bytes)) {
		pci_err(npf->pf.pdev, "VMMU segments of %#llx bytes\n",
			properties.vmmu_segment_bytes);
		return -EBADMSG;
	}
	npf->pf.engines = properties.engines;
	npf->pf.is_ecc_on = properties.is_ecc_on;
	rc = vgpu_pf_make_fb(&npf->fb, &npf->info, properties.vmmu_segment_bytes);
	if (rc)
		return rc;
	return vgpu_chids_init(&npf->chids, VGPU_CHIDS_MAX, npf->host.chids,
			       npf->info.needs_power_of_2_channels);
}

/* Each of these files is the manager's. */
static int main_add_files(struct nouveau_pf *npf)
{
	struct vgpu_pf *pf = &npf->pf;
	char name[32];
	int rc;

	vgpu_pf_set_info(pf, &npf->info);
	pf->chip = npf->host.chip;
	pf->fb_host_bytes = npf->host.fb_end;
	rc = vgpu_pf_add_dir(pf, NULL);
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "vgpu-%s", pci_name(pf->pdev));
	pf->debugfs = debugfs_create_dir(name, NULL);
	return 0;
}

static bool main_destroy(struct nouveau_pf *npf)
{
	bool is_held;

	adapter_recovery_detach(npf);
	WRITE_ONCE(npf->is_closed, true);
	is_held = vgpu_mgr_destroy(&npf->pf);
	vgpu_pf_remove_dir(&npf->pf);
	debugfs_remove(npf->pf.debugfs);
	nouveau_vgpu_close(npf->gpu);
	vgpu_pf_drop_fb(&npf->fb);
	mutex_destroy(&npf->lock);
	kfree(npf);
	return is_held;
}

static int main_bring_up(struct nouveau_pf *npf)
{
	int rc;

	nouveau_vgpu_get_host(npf->gpu, &npf->host);
	rc = main_read_static_info(npf);
	if (rc == 0)
		rc = main_make_allocators(npf);
	if (rc)
		return rc;
	rc = nouveau_vgpu_make_windows(npf->gpu, npf->info.vf_total,
				       round_up(npf->pf.abi->task->layout.bytes,
						VGPU_BAR1_PAGE_BYTES));
	if (rc)
		return rc;
	npf->pf.vf_total = npf->info.vf_total;
	npf->pf.fb_host_end = npf->host.fb_end;
	rc = main_add_files(npf);
	return rc ? rc : vgpu_mgr_create(&npf->pf);
}

static int main_attach(struct nouveau_vgpu *gpu, void **ret_owner)
{
	struct nouveau_pf *npf = kzalloc(sizeof(*npf), GFP_KERNEL);
	struct pci_dev *pdev = nouveau_vgpu_pdev(gpu);
	int rc;

	if (!npf)
		return -ENOMEM;
	npf->gpu = gpu;
	mutex_init(&npf->lock);
	npf->pf = (struct vgpu_pf){
		.ops = &adapter_pf_ops,
		.pdev = pdev,
		.abi = vgpu_abi_find(VGPU_ABI_VERSION),
		.allocators_lock = &npf->lock,
		.fb = &npf->fb,
		.chids = &npf->chids,
	};
	vgpu_events_init(&npf->events, &pdev->dev, npf->pf.abi);
	*ret_owner = npf;
	rc = adapter_recovery_attach(npf);
	if (rc == 0)
		rc = nouveau_vgpu_open(gpu);
	if (rc) {
		adapter_recovery_detach(npf);
		kfree(npf);
		return rc;
	}
	rc = main_bring_up(npf);
	if (rc) {
		main_destroy(npf);
		return rc;
	}
	/* nouveau may have been bound long ago: udev looks at the folder now. */
	kobject_uevent(&pdev->dev.kobj, KOBJ_CHANGE);
	return 0;
}

static bool main_detach(void *owner)
{
	return main_destroy(owner);
}

static int main_prepare_vfs(void *owner)
{
	struct nouveau_pf *npf = owner;

	return vgpu_mgr_prepare_vfs(&npf->pf);
}

static void main_vfs_changed(void *owner)
{
	struct nouveau_pf *npf = owner;

	vgpu_mgr_vfs_changed(&npf->pf);
}

static void main_handle_event(void *owner, u32 event, const u8 *payload, u32 bytes)
{
	struct nouveau_pf *npf = owner;

	if (event == NOUVEAU_VGPU_WEDGED)
		adapter_recovery_schedule(npf->recovery);
	vgpu_events_dispatch(&npf->events,
			     event == NOUVEAU_VGPU_WEDGED ? VGPU_EVENT_WEDGED
							  : event,
			     payload, bytes);
}

static const struct nouveau_vgpu_driver main_driver = {
	.attach = main_attach,
	.detach = main_detach,
	.prepare_vfs = main_prepare_vfs,
	.vfs_changed = main_vfs_changed,
	.handle_event = main_handle_event,
};

static int __init main_init(void)
{
	return nouveau_vgpu_register(&main_driver);
}
module_init(main_init);

static void __exit main_exit(void)
{
	nouveau_vgpu_unregister(&main_driver);
	adapter_recovery_finish();
}
module_exit(main_exit);

MODULE_DESCRIPTION("OpenVGPU: vGPUs on GPUs that nouveau drives");
MODULE_SOFTDEP("post: vgpu_vfio_pci");
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
