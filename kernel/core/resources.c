// SPDX-License-Identifier: GPL-2.0-or-later
/* What vGPUs share of the GPU: made when it boots, kept across resets. */
#include "resources.h"

#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "kernel/core/rm/channel.h"
#include "core.h"
#include "kernel/core/hw/page_table.h"

#define FB_RANGES     512 /* 384 segments of a vGPU's, and what is reserved */
#define WINDOWS	      128 /* two for each of 32 vGPUs, and some more */
#define OWN_ALIGNMENT SZ_64K

/*
 * Of BAR1, which may be larger than the framebuffer, as much as will do: its
 * page tables take 1/8192 of it.
 */
#define BAR1_BYTES_MAX	SZ_16G
#define DIRECTORY_BYTES SZ_512M

/*
 * A quarter: where ranges are powers of two, no number of vGPUs that there can
 * be of one type gets longer ones with less than that.
 */
#define OWN_CHANNELS 512

static unsigned long host_mib;
module_param_named(host, host_mib, ulong, 0444);
MODULE_PARM_DESC(
	host,
	"MiB of framebuffer and BAR1 kept from vGPUs, at most half (default: 0)");

void vgpu_resources_init(struct vgpu_core *core)
{
	mutex_init(&core->vram_lock);
	mutex_init(&core->resources.lock);
}

static void drop(struct vgpu_resources *r)
{
	kvfree(r->fb.ranges.array);
	kvfree(r->bar1.windows.array);
	bitmap_free(r->linked);
	r->fb = (struct vgpu_fb){};
	r->bar1 = (struct vgpu_bar1){};
	r->linked = NULL;
	r->is_made = false;
}

void vgpu_resources_finish(struct vgpu_core *core)
{
	drop(&core->resources);
}

/* What the firmware says is usable; all else is not the driver's. */
static int reserve_unusable(struct vgpu_core *core, struct vgpu_fb *fb)
{
	struct vgpu_range usable[VGPU_FB_REGIONS_MAX];
	const struct vgpu_fb_region *region;
	u32 count = 0, i;

	for (i = 0; i < core->info.region_count; i++) {
		region = &core->info.regions[i];
		if (region->is_usable)
			usable[count++] = (struct vgpu_range){
				.start = region->base,
				.size = region->bytes,
			};
	}
	return vgpu_fb_reserve_others(fb, usable, count);
}

/* The highest place is the one that breaks fewest segments. */
static int reserve_host(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	u64 free = vgpu_fb_free_bytes(&r->fb), bytes, offset;
	int rc = -ENOSPC;

	if (!host_mib)
		return 0;
	if (host_mib <= free / SZ_1M) {
		bytes = (u64)host_mib * SZ_1M;
		rc = vgpu_fb_reserve_top(&r->fb, bytes, SZ_1M, &offset);
	}
	if (rc) {
		pci_err(core->pdev, "host=%lu: the GPU has %llu MiB\n",
			host_mib, free / SZ_1M);
		return rc;
	}
	core->host_bytes = bytes;
	return 0;
}

static int make_fb(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	struct vgpu_range *array;
	u64 tables, bytes;
	int rc;

	array = kvcalloc(FB_RANGES, sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	rc = vgpu_fb_init(&r->fb, 0, core->info.fb_bytes,
			  core->properties.vmmu_segment_bytes, array, FB_RANGES);
	if (rc) {
		kvfree(array);
		return rc;
	}
	rc = reserve_unusable(core, &r->fb);
	if (rc)
		return rc;
	/* Where a segment is broken already by what the firmware has. */
	tables = vgpu_bar1_tables_bytes(r->directories);
	bytes = ALIGN(tables + VGPU_CHANNEL_VRAM_BYTES, OWN_ALIGNMENT);
	rc = vgpu_fb_reserve_top(&r->fb, bytes, OWN_ALIGNMENT, &r->own_offset);
	r->channel_offset = r->own_offset + tables;
	return rc ? rc : reserve_host(core);
}

static int make_bar1(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	u64 all = pci_resource_len(core->pdev, VGPU_BAR1);
	u64 host = min_t(u64, (u64)host_mib * SZ_1M, all / 2);
	u64 bytes = min_t(u64, all, host + BAR1_BYTES_MAX);
	struct vgpu_range *array;
	int rc;

	r->directories = (u32)DIV_ROUND_UP_ULL(bytes, DIRECTORY_BYTES);
	r->linked = bitmap_zalloc(r->directories * (1 + VGPU_PD0_ENTRIES),
				  GFP_KERNEL);
	array = kvcalloc(WINDOWS, sizeof(*array), GFP_KERNEL);
	if (!array || !r->linked) {
		kvfree(array);
		return -ENOMEM;
	}
	rc = vgpu_bar1_init(&r->bar1, bytes, host, core->info.fb_bytes, array,
			    WINDOWS);
	if (rc)
		kvfree(array);
	return rc;
}

static int make(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	u32 firmwares;
	int rc;

	rc = make_bar1(core);
	if (rc == 0)
		rc = make_fb(core);
	if (rc == 0)
		rc = vgpu_chids_init(&r->chids, VGPU_CHIDS_MAX, OWN_CHANNELS,
				     core->info.needs_power_of_2_channels);
	/* The first one is the firmware's. */
	if (rc == 0)
		rc = vgpu_chids_alloc_own(&r->chids, &firmwares);
	if (rc) {
		drop(r);
		return rc;
	}
	r->is_made = true;
	return 0;
}

/* The same firmware on the same GPU says the same again. */
static bool is_as_before(const struct vgpu_core *core)
{
	const struct vgpu_resources *r = &core->resources;

	return r->fb.ranges.size == core->info.fb_bytes &&
	       r->fb.unit_bytes == core->properties.vmmu_segment_bytes;
}

int vgpu_resources_start(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	int rc = 0;

	mutex_lock(&r->lock);
	if (!r->is_made)
		rc = make(core);
	else if (!is_as_before(core))
		rc = -EBADMSG;
	if (rc == 0)
		rc = vgpu_bar1_start(core);
	mutex_unlock(&r->lock);
	if (rc)
		pci_err(core->pdev,
			"the framebuffer cannot be shared out: %d\n", rc);
	return rc;
}

void vgpu_resources_stop(struct vgpu_core *core)
{
	mutex_lock(&core->resources.lock);
	core->resources.has_tables = false;
	mutex_unlock(&core->resources.lock);
}

int vgpu_core_get_use(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	mutex_lock(&r->lock);
	if (core->gsp && !READ_ONCE(core->why_wedged) && !r->is_closed) {
		r->users++;
		rc = 0;
	}
	mutex_unlock(&r->lock);
	up_read(&core->gsp_lock);
	return rc;
}

void vgpu_core_put_use(struct vgpu_core *core)
{
	mutex_lock(&core->resources.lock);
	if (!WARN_ON(core->resources.users == 0))
		core->resources.users--;
	mutex_unlock(&core->resources.lock);
}

bool vgpu_core_is_used(struct vgpu_core *core)
{
	bool is_used;

	mutex_lock(&core->resources.lock);
	is_used = core->resources.users > 0;
	mutex_unlock(&core->resources.lock);
	return is_used;
}

void vgpu_core_shut_use(struct vgpu_core *core)
{
	mutex_lock(&core->resources.lock);
	core->resources.is_closed = true;
	mutex_unlock(&core->resources.lock);
}

void vgpu_core_end_use(struct vgpu_core *core)
{
	vgpu_core_shut_use(core);
	vgpu_debug_put_use(core);
	WARN_ON(core->resources.users);
}

int vgpu_core_close_use(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	int rc = 0;

	mutex_lock(&r->lock);
	if (r->users)
		rc = -EBUSY;
	else
		r->is_closed = true;
	mutex_unlock(&r->lock);
	return rc;
}

void vgpu_core_reopen_use(struct vgpu_core *core)
{
	mutex_lock(&core->resources.lock);
	core->resources.is_closed = false;
	mutex_unlock(&core->resources.lock);
}
