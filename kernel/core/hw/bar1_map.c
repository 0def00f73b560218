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
#include "bar1_map.h"

#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "page_table.h"
#include "vram.h"

#define DIRECTORY_2   0
#define DIRECTORY_1   VGPU_PD_BYTES
#define DIRECTORIES_0 (2 * VGPU_PD_BYTES)

#define DIRECTORY_SPAN SZ_512M /* what a directory 0 maps */
#define WINDOWS	       128     /* two for each of 32 vGPUs, and some more */

/*
 * BAR1 can exceed the framebuffer, and its page tables take 1/8192 of what they
 * map: use no more of it than this.
 */
#define BAR1_BYTES_MAX SZ_16G

void vgpu_bar1_map_init(struct vgpu_bar1_map *map, struct vgpu_hw *hw)
{
	map->hw = hw;
	mutex_init(&map->lock);
}

int vgpu_bar1_map_create(struct vgpu_bar1_map *map, u64 host_bytes, u64 fb_bytes)
{
	u64 all = pci_resource_len(map->hw->pdev, VGPU_BAR1);
	u64 host = min_t(u64, host_bytes, all / 2);
	u64 bytes = min_t(u64, all, host + BAR1_BYTES_MAX);
	struct vgpu_range *array;
	int rc;

	map->directories = (u32)DIV_ROUND_UP_ULL(bytes, DIRECTORY_SPAN);
	map->linked = bitmap_zalloc(map->directories * (1 + VGPU_PD0_ENTRIES),
				    GFP_KERNEL);
	array = kvcalloc(WINDOWS, sizeof(*array), GFP_KERNEL);
	if (!array || !map->linked) {
		kvfree(array);
		return -ENOMEM;
	}
	rc = vgpu_bar1_init(&map->bar1, bytes, host, fb_bytes, array, WINDOWS);
	if (rc)
		kvfree(array);
	return rc;
}

void vgpu_bar1_map_destroy(struct vgpu_bar1_map *map)
{
	kvfree(map->bar1.windows.array);
	bitmap_free(map->linked);
	map->bar1 = (struct vgpu_bar1){};
	map->linked = NULL;
}

static u64 bar1_map_directory_at(const struct vgpu_bar1_map *map, u64 slot)
{
	return map->tables_offset + DIRECTORIES_0 +
	       slot / VGPU_PD0_ENTRIES * VGPU_PD_BYTES;
}

/* A slot is what an entry of directory 0 stands for: 2 MiB. */
static u64 bar1_map_entry_at(const struct vgpu_bar1_map *map, u64 slot)
{
	return bar1_map_directory_at(map, slot) +
	       slot % VGPU_PD0_ENTRIES * VGPU_PD0_ENTRY_BYTES;
}

static u64 bar1_map_table_at(const struct vgpu_bar1_map *map, u64 slot)
{
	return map->tables_offset + DIRECTORIES_0 +
	       (u64)map->directories * VGPU_PD_BYTES + slot * VGPU_BIG_PT_BYTES;
}

u64 vgpu_bar1_map_tables_bytes(const struct vgpu_bar1_map *map)
{
	return DIRECTORIES_0 + (u64)map->directories * VGPU_PD_BYTES +
	       (u64)map->directories * VGPU_PD0_ENTRIES * VGPU_BIG_PT_BYTES;
}

/* Bits of linked: the directories, then the tables of all slots. */
static u32 bar1_map_table_bit(const struct vgpu_bar1_map *map, u64 slot)
{
	return map->directories + (u32)slot;
}

static void bar1_map_link_directory(struct vgpu_bar1_map *map, u64 slot)
{
	u32 index = (u32)(slot / VGPU_PD0_ENTRIES);

	if (__test_and_set_bit(index, map->linked))
		return;
	vgpu_vram_zero(map->hw, bar1_map_directory_at(map, slot), VGPU_PD_BYTES);
	vgpu_vram_write_entry(map->hw,
			      map->tables_offset + DIRECTORY_1 +
				      index * VGPU_ENTRY_BYTES,
			      vgpu_pde(bar1_map_directory_at(map, slot)));
}

static void bar1_map_link_table(struct vgpu_bar1_map *map, u64 slot)
{
	if (__test_and_set_bit(bar1_map_table_bit(map, slot), map->linked))
		return;
	vgpu_vram_zero(map->hw, bar1_map_table_at(map, slot), VGPU_BIG_PT_BYTES);
	vgpu_vram_write_entry(map->hw, bar1_map_entry_at(map, slot),
			      vgpu_pde(bar1_map_table_at(map, slot)));
}

static bool bar1_map_is_huge(const struct vgpu_range *window)
{
	return vgpu_is_aligned(window->start | window->target | window->size,
			       VGPU_BAR1_HUGE_PAGE_BYTES);
}

static void bar1_map_write_huge(struct vgpu_bar1_map *map,
				const struct vgpu_range *window, bool is_open)
{
	u64 at, slot;

	for (at = 0; at < window->size; at += VGPU_BAR1_HUGE_PAGE_BYTES) {
		slot = (window->start + at) >> VGPU_PD0_SHIFT;
		bar1_map_link_directory(map, slot);
		/* A table that was there is none any more. */
		__clear_bit(bar1_map_table_bit(map, slot), map->linked);
		vgpu_vram_write_entry(
			map->hw, bar1_map_entry_at(map, slot),
			is_open ? vgpu_pte_vram(window->target + at) : 0);
	}
}

static void bar1_map_write_big(struct vgpu_bar1_map *map,
			       const struct vgpu_range *window, bool is_open)
{
	u64 at, slot, page;

	for (at = 0; at < window->size; at += VGPU_BAR1_PAGE_BYTES) {
		slot = (window->start + at) >> VGPU_PD0_SHIFT;
		page = (window->start + at) >> VGPU_BIG_PAGE_SHIFT;
		bar1_map_link_directory(map, slot);
		bar1_map_link_table(map, slot);
		vgpu_vram_write_entry(
			map->hw,
			bar1_map_table_at(map, slot) +
				page % VGPU_BIG_PT_ENTRIES * VGPU_ENTRY_BYTES,
			is_open ? vgpu_pte_vram(window->target + at) : 0);
	}
}

static int bar1_map_write_window(struct vgpu_bar1_map *map,
				 const struct vgpu_range *window, bool is_open)
{
	if (bar1_map_is_huge(window))
		bar1_map_write_huge(map, window, is_open);
	else
		bar1_map_write_big(map, window, is_open);
	vgpu_vram_flush(map->hw, map->tables_offset);
	return vgpu_vram_invalidate(map->hw, map->page_directory, true);
}

static int bar1_map_write_tables(struct vgpu_bar1_map *map)
{
	u64 directory = map->page_directory;
	const struct vgpu_range *window;
	u32 i;
	int rc;

	bitmap_zero(map->linked, map->directories * (1 + VGPU_PD0_ENTRIES));
	vgpu_vram_zero(map->hw, map->tables_offset, DIRECTORIES_0);
	vgpu_vram_write_entry(map->hw, map->tables_offset + DIRECTORY_2,
			      vgpu_pde(map->tables_offset + DIRECTORY_1));
	vgpu_vram_flush(map->hw, map->tables_offset);
	vgpu_vram_write_entry(map->hw, directory,
			      vgpu_pde(map->tables_offset + DIRECTORY_2));
	vgpu_vram_flush(map->hw, directory);
	rc = vgpu_vram_invalidate(map->hw, directory, true);
	/* Windows that were open before a reset or a sleep. */
	for (i = 0; rc == 0 && i < map->bar1.windows.count; i++) {
		window = &map->bar1.windows.array[i];
		if (vgpu_bar1_is_open(window))
			rc = bar1_map_write_window(map, window, true);
	}
	return rc;
}

int vgpu_bar1_map_start(struct vgpu_bar1_map *map, u64 page_directory)
{
	int rc;

	if (!page_directory || !vgpu_is_aligned(page_directory, VGPU_PD_BYTES)) {
		pci_err(map->hw->pdev, "BAR1's page directory at %#llx?\n",
			page_directory);
		return -EBADMSG;
	}
	mutex_lock(&map->lock);
	map->page_directory = page_directory;
	rc = bar1_map_write_tables(map);
	map->has_tables = rc == 0;
	mutex_unlock(&map->lock);
	return rc;
}

void vgpu_bar1_map_stop(struct vgpu_bar1_map *map)
{
	mutex_lock(&map->lock);
	map->has_tables = false;
	mutex_unlock(&map->lock);
}

static int bar1_map_open_window(struct vgpu_bar1_map *map, u64 fb_offset,
				u64 bytes, u64 *ret_start)
{
	u64 page = vgpu_is_aligned(fb_offset | bytes, VGPU_BAR1_HUGE_PAGE_BYTES)
			   ? VGPU_BAR1_HUGE_PAGE_BYTES
			   : VGPU_BAR1_PAGE_BYTES;
	u64 start;
	int rc;

	if (!map->has_tables)
		return -ENODEV;
	rc = vgpu_bar1_open(&map->bar1, fb_offset, bytes, page, &start);
	if (rc)
		return rc;
	rc = bar1_map_write_window(
		map, vgpu_ranges_get(&map->bar1.windows, start), true);
	if (rc)
		vgpu_bar1_close(&map->bar1, start);
	else
		*ret_start = start;
	return rc;
}

static void bar1_map_close_window(struct vgpu_bar1_map *map, u64 start)
{
	/* Where the GPU is not there its tables are made anew, without it. */
	if (map->has_tables)
		bar1_map_write_window(
			map, vgpu_ranges_get(&map->bar1.windows, start), false);
	vgpu_bar1_close(&map->bar1, start);
}

int vgpu_bar1_map_open(struct vgpu_bar1_map *map, u64 fb_offset, u64 bytes,
		       struct vgpu_fb_window *ret_window)
{
	struct vgpu_fb_window window = {.bytes = bytes};
	int rc;

	mutex_lock(&map->lock);
	rc = bar1_map_open_window(map, fb_offset, bytes, &window.bar1_offset);
	mutex_unlock(&map->lock);
	if (rc)
		return rc;
	window.memory = ioremap(pci_resource_start(map->hw->pdev, VGPU_BAR1) +
					window.bar1_offset,
				bytes);
	if (!window.memory) {
		mutex_lock(&map->lock);
		bar1_map_close_window(map, window.bar1_offset);
		mutex_unlock(&map->lock);
		return -ENOMEM;
	}
	*ret_window = window;
	return 0;
}

void vgpu_bar1_map_close(struct vgpu_bar1_map *map, struct vgpu_fb_window *window)
{
	if (!window->memory)
		return;
	iounmap(window->memory);
	mutex_lock(&map->lock);
	bar1_map_close_window(map, window->bar1_offset);
	mutex_unlock(&map->lock);
	*window = (struct vgpu_fb_window){};
}
