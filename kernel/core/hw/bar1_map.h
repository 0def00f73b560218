/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BAR1: its page tables, and windows through it into the framebuffer. */
#ifndef VGPU_KERNEL_CORE_HW_BAR1_MAP_H
#define VGPU_KERNEL_CORE_HW_BAR1_MAP_H

#include "hw.h"
#include "kernel/core/core_ops.h"
#include "kernel/core/pure/bar1.h"

struct vgpu_bar1_map {
	struct vgpu_hw *hw;
	struct mutex lock; /* protects what follows, and the tables */
	struct vgpu_bar1 bar1;
	u64 tables_offset;     /* in the framebuffer */
	u64 page_directory;    /* the firmware's, of BAR1 */
	u32 directories;       /* of 512 MiB each */
	bool has_tables;       /* BAR1 goes by ours */
	unsigned long *linked; /* bits: which tables are in use */
};

/* destroy() is for what create() made, and for a map that is initialized only. */
void vgpu_bar1_map_init(struct vgpu_bar1_map *map, struct vgpu_hw *hw);
/* The first @host_bytes of BAR1 are left out. */
int vgpu_bar1_map_create(struct vgpu_bar1_map *map, u64 host_bytes, u64 fb_bytes);
void vgpu_bar1_map_destroy(struct vgpu_bar1_map *map);

/* How much framebuffer the tables take, in one piece. */
u64 vgpu_bar1_map_tables_bytes(const struct vgpu_bar1_map *map);

/*
 * After each boot: write the tables at map->tables_offset, with the windows
 * that are open, and link them into the firmware's @page_directory.
 */
int vgpu_bar1_map_start(struct vgpu_bar1_map *map, u64 page_directory);
/* Before the firmware is unloaded: windows are opened and closed without tables. */
void vgpu_bar1_map_stop(struct vgpu_bar1_map *map);

/* As map_fb() and unmap_fb() of struct vgpu_core_ops. */
int vgpu_bar1_map_open(struct vgpu_bar1_map *map, u64 fb_offset, u64 bytes,
		       struct vgpu_fb_window *ret_window);
void vgpu_bar1_map_close(struct vgpu_bar1_map *map,
			 struct vgpu_fb_window *window);

#endif
