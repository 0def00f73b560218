// SPDX-License-Identifier: GPL-2.0-or-later
/* What vGPUs share of the GPU: made when it boots, kept across resets. */
#include "resources.h"

#include <linux/module.h>
#include <linux/sizes.h>

#include "channel.h"
#include "pf.h"

#define OWN_ALIGNMENT SZ_64K

/*
 * Reserve a quarter of the 2048 channel ids. With power-of-two ranges a smaller
 * reserve would not give any vGPU more ids.
 */
#define OWN_CHANNELS 512

static unsigned long host_mib;
module_param_named(host, host_mib, ulong, 0444);
MODULE_PARM_DESC(
	host,
	"MiB of framebuffer and BAR1 kept from vGPUs, at most half (default: 0)");

void vgpu_resources_init(struct vgpu_resources *r, struct vgpu_hw *hw)
{
	r->hw = hw;
	mutex_init(&r->lock);
	vgpu_bar1_map_init(&r->bar1, hw);
}

static void resources_free(struct vgpu_resources *r)
{
	vgpu_pf_drop_fb(&r->fb);
	vgpu_bar1_map_destroy(&r->bar1);
	r->is_made = false;
}

void vgpu_resources_finish(struct vgpu_resources *r)
{
	resources_free(r);
}

/* The highest place is the one that breaks fewest segments. */
static int resources_reserve_host(struct vgpu_resources *r)
{
	u64 free = vgpu_fb_free_bytes(&r->fb), bytes, offset;
	int rc = -ENOSPC;

	if (!host_mib)
		return 0;
	if (host_mib <= free / SZ_1M) {
		bytes = (u64)host_mib * SZ_1M;
		rc = vgpu_fb_reserve_top(&r->fb, bytes, SZ_1M, &offset);
	}
	if (rc) {
		pci_err(r->hw->pdev, "host=%lu: the GPU has %llu MiB\n",
			host_mib, free / SZ_1M);
		return rc;
	}
	r->host_bytes = bytes;
	return 0;
}

static int resources_make_fb(struct vgpu_resources *r,
			     const struct vgpu_static_info *info,
			     u64 vmmu_segment_bytes)
{
	u64 tables, bytes;
	int rc = vgpu_pf_make_fb(&r->fb, info, vmmu_segment_bytes);

	if (rc)
		return rc;
	/* Where a segment is broken already by what the firmware has. */
	tables = vgpu_bar1_map_tables_bytes(&r->bar1);
	bytes = ALIGN(tables + VGPU_CHANNEL_VRAM_BYTES, OWN_ALIGNMENT);
	rc = vgpu_fb_reserve_top(&r->fb, bytes, OWN_ALIGNMENT,
				 &r->bar1.tables_offset);
	r->channel_offset = r->bar1.tables_offset + tables;
	return rc ? rc : resources_reserve_host(r);
}

static int resources_make(struct vgpu_resources *r,
			  const struct vgpu_static_info *info,
			  u64 vmmu_segment_bytes)
{
	u32 firmwares;
	int rc;

	rc = vgpu_bar1_map_create(&r->bar1, (u64)host_mib * SZ_1M,
				  info->fb_bytes);
	if (rc == 0)
		rc = resources_make_fb(r, info, vmmu_segment_bytes);
	if (rc == 0)
		rc = vgpu_chids_init(&r->chids, VGPU_CHIDS_MAX, OWN_CHANNELS,
				     info->needs_power_of_2_channels);
	/* The first one is the firmware's. */
	if (rc == 0)
		rc = vgpu_chids_alloc_own(&r->chids, &firmwares);
	if (rc) {
		resources_free(r);
		return rc;
	}
	r->is_made = true;
	return 0;
}

/* The same firmware on the same GPU says the same again. */
static bool resources_is_as_before(const struct vgpu_resources *r,
				   const struct vgpu_static_info *info,
				   u64 vmmu_segment_bytes)
{
	return r->fb.ranges.size == info->fb_bytes &&
	       r->fb.unit_bytes == vmmu_segment_bytes;
}

int vgpu_resources_start(struct vgpu_resources *r,
			 const struct vgpu_static_info *info,
			 u64 vmmu_segment_bytes)
{
	int rc = 0;

	mutex_lock(&r->lock);
	if (!r->is_made)
		rc = resources_make(r, info, vmmu_segment_bytes);
	else if (!resources_is_as_before(r, info, vmmu_segment_bytes))
		rc = -EBADMSG;
	mutex_unlock(&r->lock);
	if (rc == 0)
		rc = vgpu_bar1_map_start(&r->bar1, info->bar1_page_directory);
	if (rc)
		pci_err(r->hw->pdev,
			"the framebuffer cannot be shared out: %d\n", rc);
	return rc;
}
