// SPDX-License-Identifier: GPL-2.0-or-later
/* vgpu_nouveau: has the vGPU manager on GPUs that nouveau drives. */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "adapter.h"
#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/pure/bar1.h"
#include "kernel/mgr/manager.h"

#define FB_RANGES 512 /* as kernel/core/rm/resources.c */

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

/* As kernel/core/rm/rm.c asks for them. */
static int main_read_engines(struct nouveau_pf *npf)
{
	const struct vgpu_abi *abi = npf->pf.abi;
	u32 bytes = max(abi->engine_list_bytes, abi->ecc_status_bytes);
	void *params = kzalloc(bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	rc = adapter_pf_ops.control(&npf->pf, VGPU_RM_GET_ENGINES, params,
				    abi->engine_list_bytes);
	if (rc == 0)
		rc = abi->get_engines(params, abi->engine_list_bytes,
				      &npf->pf.engines);
	memset(params, 0, bytes);
	if (rc == 0)
		rc = adapter_pf_ops.control(&npf->pf, VGPU_RM_QUERY_ECC_STATUS,
					    params, abi->ecc_status_bytes);
	if (rc == 0)
		rc = abi->get_ecc_state(params, abi->ecc_status_bytes,
					&npf->pf.is_ecc_on);
	kfree(params);
	return rc;
}

/* What the firmware says is usable; of that the lower end is nouveau's. */
static int main_make_fb(struct nouveau_pf *npf, u64 segment_bytes)
{
	const struct vgpu_static_info *info = &npf->info;
	struct vgpu_range usable[VGPU_FB_REGIONS_MAX], *array;
	u32 count = 0, i;
	int rc;

	array = kvcalloc(FB_RANGES, sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	rc = vgpu_fb_init(&npf->fb, 0, info->fb_bytes, segment_bytes, array,
			  FB_RANGES);
	if (rc) {
		kvfree(array);
		return rc;
	}
	for (i = 0; i < info->region_count; i++) {
		if (info->regions[i].is_usable)
			usable[count++] = (struct vgpu_range){
				.start = info->regions[i].base,
				.size = info->regions[i].bytes,
			};
	}
	return vgpu_fb_reserve_others(&npf->fb, usable, count);
}

static int main_make_allocators(struct nouveau_pf *npf)
{
	u64 segment_bytes = 0;
	int rc;

	rc = adapter_pf_ops.control(&npf->pf, VGPU_RM_GET_VMMU_SEGMENT_SIZE,
				    &segment_bytes, sizeof(segment_bytes));
	if (rc)
		return rc;
	/* Where nouveau's part ends, a segment does. */
	if (!is_power_of_2(segment_bytes) ||
	    !IS_ALIGNED(npf->host.fb_end, segment_bytes)) {
		pci_err(npf->pf.pdev, "VMMU segments of %#llx bytes\n",
			segment_bytes);
		return -EBADMSG;
	}
	rc = main_make_fb(npf, segment_bytes);
	if (rc)
		return rc;
	return vgpu_chids_init(&npf->chids, VGPU_CHIDS_MAX, npf->host.chids,
			       npf->info.needs_power_of_2_channels);
}

static bool main_destroy(struct nouveau_pf *npf)
{
	bool is_held;

	WRITE_ONCE(npf->is_closed, true);
	is_held = vgpu_mgr_destroy(&npf->pf);
	adapter_remove_files(npf);
	nouveau_vgpu_close(npf->gpu);
	kvfree(npf->fb.ranges.array);
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
		rc = main_read_engines(npf);
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
	rc = adapter_add_files(npf);
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
	rc = nouveau_vgpu_open(gpu);
	if (rc) {
		kfree(npf);
		return rc;
	}
	rc = main_bring_up(npf);
	if (rc)
		main_destroy(npf);
	return rc;
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
}
module_exit(main_exit);

MODULE_DESCRIPTION("OpenVGPU: vGPUs on GPUs that nouveau drives");
MODULE_SOFTDEP("post: vgpu_vfio_pci");
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
