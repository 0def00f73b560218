// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firmware sleeps while the GPU has no power: what it has in the
 * framebuffer goes into the CPU's memory, and comes back when it wakes.
 *
 *   its own ............ by itself, into a list of pages that it is told of
 *   WPR2 ............... by Booter, which takes it down, into a radix 3 image
 *
 * Both take as much memory as there is of them; where that cannot be had, the
 * firmware is unloaded, and boots anew.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "core.h"
#include "kernel/core/abi/queue_abi.h"
#include "kernel/core/abi/rm_abi.h"

/* Of the firmware's own client, while it is told. */
#define MEMORY_LIST 0xc0de0100

#define ENTRIES_COUNT_SHIFT 16
#define PAGE_SHIFT_4K	    12

/* The end of the last part that is anybody's but the firmware's. */
static u64 sleep_usable_end(const struct vgpu_static_info *info)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < info->region_count; i++)
		if (info->regions[i].is_usable)
			end = max(end, info->regions[i].base +
					       info->regions[i].bytes);
	return end;
}

/* What the firmware itself saves: all of its own that is not in WPR2. */
static u64 sleep_own_bytes(const struct vgpu_gsp *gsp)
{
	const struct vgpu_wpr_layout *layout = &gsp->layout;
	u64 end = sleep_usable_end(&gsp->info);

	if (end > layout->wpr_start)
		return 0;
	return layout->wpr_start - end + layout->fb_bytes -
	       layout->vga_workspace_offset;
}

static int sleep_make_room(struct vgpu_sleep *sleep, struct vgpu_gsp *gsp)
{
	u64 wpr_bytes = gsp->layout.frts_offset + VGPU_FRTS_BYTES -
			gsp->layout.wpr_start;
	u64 bytes = sleep_own_bytes(gsp);
	u64 available = (u64)si_mem_available() << PAGE_SHIFT;
	int rc;

	if (bytes == 0)
		return -EBADMSG;
	/* Other devices go to sleep at the same time, and need some too. */
	if (wpr_bytes + bytes > available - available / 4)
		return -ENOMEM;
	rc = vgpu_dma_create(gsp->hw, VGPU_PAGE_BYTES, &sleep->meta);
	if (rc == 0)
		rc = vgpu_radix3_create(gsp->hw, wpr_bytes, DMA_BIDIRECTIONAL,
					NULL, &sleep->wpr);
	if (rc == 0)
		rc = vgpu_pages_create(gsp->hw, bytes, DMA_BIDIRECTIONAL, NULL,
				       &sleep->vram);
	if (rc)
		return rc;
	*(struct vgpu_rm_sleep_meta *)sleep->meta.memory =
		(struct vgpu_rm_sleep_meta){
			.magic = VGPU_RM_SLEEP_META_MAGIC,
			.revision = VGPU_RM_SLEEP_META_REVISION,
			.radix3_address = sleep->wpr.levels[0].address,
			.bytes = wpr_bytes,
		};
	return 0;
}

static void sleep_free_room(struct vgpu_core *core)
{
	struct vgpu_sleep *sleep = &core->sleep;

	vgpu_pages_destroy(&core->hw, &sleep->vram);
	vgpu_radix3_destroy(&core->hw, &sleep->wpr);
	vgpu_dma_destroy(&core->hw, &sleep->meta);
}

static int sleep_list_memory(struct vgpu_gsp *gsp, const struct vgpu_pages *pages)
{
	const struct vgpu_static_info *info = &gsp->info;
	struct vgpu_rm_alloc_memory *call;
	size_t size = struct_size(call, pages, pages->count);
	u64 i;
	int rc;

	call = kvzalloc(size, GFP_KERNEL);
	if (!call)
		return -ENOMEM;
	call->client = info->client;
	call->device = info->device;
	call->object = MEMORY_LIST;
	call->class = VGPU_RM_CLASS_MEMORY_LIST;
	call->flags = VGPU_RM_MEMORY_SCATTERED | VGPU_RM_MEMORY_NOT_MAPPED;
	call->bytes = pages->count * VGPU_PAGE_BYTES;
	call->page_count = (u32)pages->count;
	call->entries = (u32)pages->count << ENTRIES_COUNT_SHIFT;
	for (i = 0; i < pages->count; i++)
		call->pages[i] = pages->addresses[i] >> PAGE_SHIFT_4K;
	rc = vgpu_gsp_call(gsp, VGPU_RPC_ALLOC_MEMORY, call, (u32)size);
	kvfree(call);
	return rc;
}

static int sleep_free_list(struct vgpu_gsp *gsp)
{
	struct vgpu_rm_free call = {
		.client = gsp->info.client,
		.object = MEMORY_LIST,
	};

	return vgpu_gsp_call(gsp, VGPU_RPC_FREE, &call, sizeof(call));
}

static int sleep_tell_of_list(struct vgpu_gsp *gsp, u64 meta_address)
{
	const struct vgpu_abi *abi = gsp->abi;
	void *params = kzalloc(abi->save_bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	abi->put_save(params, gsp->info.client, MEMORY_LIST, meta_address);
	rc = vgpu_rm_control_internal(gsp, VGPU_RM_SAVE_VRAM, params,
				      abi->save_bytes);
	kfree(params);
	return rc;
}

/* The firmware's own channels. */
static int sleep_stop_channels(struct vgpu_gsp *gsp, bool is_stop)
{
	struct vgpu_rm_channels_params params = {.is_stop = is_stop};

	return vgpu_rm_control_internal(gsp, VGPU_RM_STOP_CHANNELS, &params,
					sizeof(params));
}

/* As far as the firmware does it while it runs. */
static int sleep_save_own(struct vgpu_sleep *sleep, struct vgpu_gsp *gsp)
{
	int rc;

	rc = sleep_stop_channels(gsp, true);
	if (rc == 0)
		rc = sleep_list_memory(gsp, &sleep->vram);
	if (rc == 0)
		rc = sleep_tell_of_list(gsp, sleep->meta.address);
	if (rc == 0)
		rc = sleep_free_list(gsp);
	return rc;
}

int vgpu_sleep_save(struct vgpu_core *core)
{
	struct vgpu_sleep *sleep = &core->sleep;
	struct vgpu_gsp *gsp = core->gsp;
	int rc;

	rc = sleep_make_room(sleep, gsp);
	if (rc) {
		pci_info(core->hw.pdev, "no memory for a sleep: %d\n", rc);
		sleep_free_room(core);
		return rc;
	}
	vgpu_core_close_gsp(core);
	sleep->gsp = gsp;
	rc = sleep_save_own(sleep, gsp);
	if (rc)
		vgpu_gsp_unload(gsp, false);
	else
		rc = vgpu_gsp_unload(gsp, true);
	vgpu_gsp_take_down(gsp, rc ? VGPU_GSP_NO_META : sleep->meta.address);
	vgpu_scrubber_release(&core->scrubber);
	if (rc) {
		pci_warn(core->hw.pdev, "the firmware cannot sleep: %d\n", rc);
		vgpu_sleep_drop(core);
	}
	return rc;
}

int vgpu_sleep_wake(struct vgpu_core *core)
{
	u64 meta_address = core->sleep.meta.address;
	struct vgpu_gsp *gsp = core->sleep.gsp;
	int rc;

	vgpu_gsp_put_rm_args(gsp, true);
	rc = vgpu_gsp_start_riscv(gsp, meta_address);
	if (rc == 0)
		rc = vgpu_gsp_wait_init_done(gsp);
	if (rc == 0)
		rc = sleep_stop_channels(gsp, false);
	if (rc == 0)
		rc = vgpu_core_open_gsp(core, gsp);
	if (rc) {
		pci_warn(core->hw.pdev, "the firmware did not wake: %d\n", rc);
		if (vgpu_gsp_wpr2_start(&core->hw))
			vgpu_gsp_take_down(gsp, VGPU_GSP_NO_META);
		return rc;
	}
	core->sleep.gsp = NULL;
	return 0;
}

void vgpu_sleep_drop(struct vgpu_core *core)
{
	sleep_free_room(core);
	if (core->sleep.gsp)
		vgpu_gsp_destroy(core->sleep.gsp);
	core->sleep.gsp = NULL;
}
