// SPDX-License-Identifier: GPL-2.0-or-later
/* What the drivers of PFs have in common: what they ask the firmware, and keep. */
#include "pf.h"

#include <linux/export.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "kernel/core/abi/rm_abi.h"

#define VMMU_SEGMENT_MIN 0x02000000 /* the sizes that there are */
#define VMMU_SEGMENT_MAX 0x20000000
#define FB_RANGES	 512 /* 384 segments of a vGPU's, and what is reserved */

static int pf_read_segment(const struct vgpu_pf_caller *caller, u64 *ret_bytes)
{
	u64 bytes = 0;
	int rc;

	rc = caller->control(caller->owner, VGPU_RM_GET_VMMU_SEGMENT_SIZE,
			     &bytes, sizeof(bytes));
	if (rc)
		return rc;
	if (!is_power_of_2(bytes) || bytes < VMMU_SEGMENT_MIN ||
	    bytes > VMMU_SEGMENT_MAX) {
		pci_err(caller->pdev, "VMMU segments of %#llx bytes\n", bytes);
		return -EBADMSG;
	}
	*ret_bytes = bytes;
	return 0;
}

int vgpu_pf_read_ecc(const struct vgpu_pf_caller *caller, bool *ret_is_on)
{
	const struct vgpu_abi *abi = caller->abi;
	void *params = kzalloc(abi->ecc_status_bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	rc = caller->control(caller->owner, VGPU_RM_QUERY_ECC_STATUS, params,
			     abi->ecc_status_bytes);
	if (rc == 0)
		rc = abi->get_ecc_state(params, abi->ecc_status_bytes, ret_is_on);
	kfree(params);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_pf_read_ecc);

static int pf_read_engines(const struct vgpu_pf_caller *caller,
			   struct vgpu_engine_set *ret_engines)
{
	const struct vgpu_abi *abi = caller->abi;
	void *params = kzalloc(abi->engine_list_bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	rc = caller->control(caller->owner, VGPU_RM_GET_ENGINES, params,
			     abi->engine_list_bytes);
	if (rc == 0)
		rc = abi->get_engines(params, abi->engine_list_bytes,
				      ret_engines);
	kfree(params);
	return rc;
}

int vgpu_pf_read_properties(const struct vgpu_pf_caller *caller,
			    struct vgpu_properties *ret_properties)
{
	struct vgpu_properties properties = {};
	int rc;

	rc = pf_read_segment(caller, &properties.vmmu_segment_bytes);
	if (rc == 0)
		rc = vgpu_pf_read_ecc(caller, &properties.is_ecc_on);
	if (rc == 0)
		rc = pf_read_engines(caller, &properties.engines);
	if (rc == 0)
		*ret_properties = properties;
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_pf_read_properties);

static int pf_reserve_unusable(struct vgpu_fb *fb,
			       const struct vgpu_static_info *info)
{
	struct vgpu_range usable[VGPU_FB_REGIONS_MAX];
	const struct vgpu_fb_region *region;
	u32 count = 0, i;

	for (i = 0; i < info->region_count; i++) {
		region = &info->regions[i];
		if (region->is_usable)
			usable[count++] = (struct vgpu_range){
				.start = region->base,
				.size = region->bytes,
			};
	}
	return vgpu_fb_reserve_others(fb, usable, count);
}

int vgpu_pf_make_fb(struct vgpu_fb *fb, const struct vgpu_static_info *info,
		    u64 segment_bytes)
{
	struct vgpu_range *array;
	int rc;

	array = kvcalloc(FB_RANGES, sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	rc = vgpu_fb_init(fb, 0, info->fb_bytes, segment_bytes, array, FB_RANGES);
	if (rc == 0)
		rc = pf_reserve_unusable(fb, info);
	if (rc) {
		kvfree(array);
		*fb = (struct vgpu_fb){};
	}
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_pf_make_fb);

void vgpu_pf_drop_fb(struct vgpu_fb *fb)
{
	kvfree(fb->ranges.array);
	*fb = (struct vgpu_fb){};
}
EXPORT_SYMBOL_GPL(vgpu_pf_drop_fb);
