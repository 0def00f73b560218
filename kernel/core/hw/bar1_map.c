// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables that BAR1 goes by, in the core driver's piece of the framebuffer:
 *
 *   the firmware's directory 3, first entry
 *     +-> directory 2 -> directory 1 -> directories 0 -> tables of 64 KiB pages
 *
 * Each has its place from the start, so that nothing is allocated when a window
 * opens; a table is cleared when it is linked into its directory.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "kernel/core/core.h"
#include "page_table.h"
#include "vram.h"

#define DIRECTORY_2   0
#define DIRECTORY_1   VGPU_PD_BYTES
#define DIRECTORIES_0 (2 * VGPU_PD_BYTES)

static u64 directory_at(const struct vgpu_resources *r, u64 slot)
{
	return r->own_offset + DIRECTORIES_0 +
	       slot / VGPU_PD0_ENTRIES * VGPU_PD_BYTES;
}

/* A slot is what an entry of directory 0 stands for: 2 MiB. */
static u64 entry_at(const struct vgpu_resources *r, u64 slot)
{
	return directory_at(r, slot) +
	       slot % VGPU_PD0_ENTRIES * VGPU_PD0_ENTRY_BYTES;
}

static u64 table_at(const struct vgpu_resources *r, u64 slot)
{
	return r->own_offset + DIRECTORIES_0 +
	       (u64)r->directories * VGPU_PD_BYTES + slot * VGPU_BIG_PT_BYTES;
}

u64 vgpu_bar1_tables_bytes(u32 directories)
{
	return DIRECTORIES_0 + (u64)directories * VGPU_PD_BYTES +
	       (u64)directories * VGPU_PD0_ENTRIES * VGPU_BIG_PT_BYTES;
}

/* Bits of linked: the directories, then the tables of all slots. */
static u32 table_bit(const struct vgpu_resources *r, u64 slot)
{
	return r->directories + (u32)slot;
}

static void link_directory(struct vgpu_core *core, u64 slot)
{
	struct vgpu_resources *r = &core->resources;
	u32 index = (u32)(slot / VGPU_PD0_ENTRIES);

	if (__test_and_set_bit(index, r->linked))
		return;
	vgpu_vram_zero(core, directory_at(r, slot), VGPU_PD_BYTES);
	vgpu_vram_write_entry(
		core, r->own_offset + DIRECTORY_1 + index * VGPU_ENTRY_BYTES,
		vgpu_pde(directory_at(r, slot)));
}

static void link_table(struct vgpu_core *core, u64 slot)
{
	struct vgpu_resources *r = &core->resources;

	if (__test_and_set_bit(table_bit(r, slot), r->linked))
		return;
	vgpu_vram_zero(core, table_at(r, slot), VGPU_BIG_PT_BYTES);
	vgpu_vram_write_entry(core, entry_at(r, slot),
			      vgpu_pde(table_at(r, slot)));
}

static bool is_huge(const struct vgpu_range *window)
{
	return vgpu_is_aligned(window->start | window->target | window->size,
			       VGPU_BAR1_HUGE_PAGE_BYTES);
}

static void write_huge(struct vgpu_core *core, const struct vgpu_range *window,
		       bool is_open)
{
	struct vgpu_resources *r = &core->resources;
	u64 at, slot;

	for (at = 0; at < window->size; at += VGPU_BAR1_HUGE_PAGE_BYTES) {
		slot = (window->start + at) >> VGPU_PD0_SHIFT;
		link_directory(core, slot);
		/* A table that was there is none any more. */
		__clear_bit(table_bit(r, slot), r->linked);
		vgpu_vram_write_entry(
			core, entry_at(r, slot),
			is_open ? vgpu_pte_vram(window->target + at) : 0);
	}
}

static void write_big(struct vgpu_core *core, const struct vgpu_range *window,
		      bool is_open)
{
	struct vgpu_resources *r = &core->resources;
	u64 at, slot, page;

	for (at = 0; at < window->size; at += VGPU_BAR1_PAGE_BYTES) {
		slot = (window->start + at) >> VGPU_PD0_SHIFT;
		page = (window->start + at) >> VGPU_BIG_PAGE_SHIFT;
		link_directory(core, slot);
		link_table(core, slot);
		vgpu_vram_write_entry(
			core,
			table_at(r, slot) +
				page % VGPU_BIG_PT_ENTRIES * VGPU_ENTRY_BYTES,
			is_open ? vgpu_pte_vram(window->target + at) : 0);
	}
}

static int write_window(struct vgpu_core *core, const struct vgpu_range *window,
			bool is_open)
{
	if (is_huge(window))
		write_huge(core, window, is_open);
	else
		write_big(core, window, is_open);
	vgpu_vram_flush(core, core->resources.own_offset);
	return vgpu_vram_invalidate(core, core->info.bar1_page_directory, true);
}

int vgpu_bar1_start(struct vgpu_core *core)
{
	struct vgpu_resources *r = &core->resources;
	u64 directory = core->info.bar1_page_directory;
	const struct vgpu_range *window;
	u32 i;
	int rc;

	if (!directory || !vgpu_is_aligned(directory, VGPU_PD_BYTES)) {
		pci_err(core->pdev, "BAR1's page directory at %#llx?\n",
			directory);
		return -EBADMSG;
	}
	bitmap_zero(r->linked, r->directories * (1 + VGPU_PD0_ENTRIES));
	vgpu_vram_zero(core, r->own_offset, DIRECTORIES_0);
	vgpu_vram_write_entry(core, r->own_offset + DIRECTORY_2,
			      vgpu_pde(r->own_offset + DIRECTORY_1));
	vgpu_vram_flush(core, r->own_offset);
	vgpu_vram_write_entry(core, directory,
			      vgpu_pde(r->own_offset + DIRECTORY_2));
	vgpu_vram_flush(core, directory);
	rc = vgpu_vram_invalidate(core, directory, true);
	/* Those of before a reset or a sleep. */
	for (i = 0; rc == 0 && i < r->bar1.windows.count; i++) {
		window = &r->bar1.windows.array[i];
		if (vgpu_bar1_is_open(window))
			rc = write_window(core, window, true);
	}
	r->has_tables = rc == 0;
	return rc;
}

static int open_window(struct vgpu_core *core, u64 fb_offset, u64 bytes,
		       u64 *ret_start)
{
	struct vgpu_resources *r = &core->resources;
	u64 page = vgpu_is_aligned(fb_offset | bytes, VGPU_BAR1_HUGE_PAGE_BYTES)
			   ? VGPU_BAR1_HUGE_PAGE_BYTES
			   : VGPU_BAR1_PAGE_BYTES;
	u64 start;
	int rc;

	if (!r->has_tables)
		return -ENODEV;
	rc = vgpu_bar1_open(&r->bar1, fb_offset, bytes, page, &start);
	if (rc)
		return rc;
	rc = write_window(core, vgpu_ranges_get(&r->bar1.windows, start), true);
	if (rc)
		vgpu_bar1_close(&r->bar1, start);
	else
		*ret_start = start;
	return rc;
}

static void close_window(struct vgpu_core *core, u64 start)
{
	struct vgpu_resources *r = &core->resources;

	/* Where the GPU is not there its tables are made anew, without it. */
	if (r->has_tables)
		write_window(core, vgpu_ranges_get(&r->bar1.windows, start),
			     false);
	vgpu_bar1_close(&r->bar1, start);
}

int vgpu_core_map_fb(struct vgpu_core *core, u64 fb_offset, u64 bytes,
		     struct vgpu_fb_window *ret_window)
{
	struct vgpu_fb_window window = {.bytes = bytes};
	int rc;

	mutex_lock(&core->resources.lock);
	rc = open_window(core, fb_offset, bytes, &window.bar1_offset);
	mutex_unlock(&core->resources.lock);
	if (rc)
		return rc;
	window.memory = ioremap(pci_resource_start(core->pdev, VGPU_BAR1) +
					window.bar1_offset,
				bytes);
	if (!window.memory) {
		mutex_lock(&core->resources.lock);
		close_window(core, window.bar1_offset);
		mutex_unlock(&core->resources.lock);
		return -ENOMEM;
	}
	*ret_window = window;
	return 0;
}

void vgpu_core_unmap_fb(struct vgpu_core *core, struct vgpu_fb_window *window)
{
	if (!window->memory)
		return;
	iounmap(window->memory);
	mutex_lock(&core->resources.lock);
	close_window(core, window->bar1_offset);
	mutex_unlock(&core->resources.lock);
	*window = (struct vgpu_fb_window){};
}
