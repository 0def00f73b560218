/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BAR1: windows of the CPU into the framebuffer. */
#ifndef VGPU_KERNEL_CORE_PURE_BAR1_H
#define VGPU_KERNEL_CORE_PURE_BAR1_H

#include "range.h"

#define VGPU_BAR1_PAGE_BYTES	  0x10000
#define VGPU_BAR1_HUGE_PAGE_BYTES 0x200000

/*
 * A window begins at the same place of a page as what it shows. Nothing is
 * shown by two windows: with one owner for each part of the framebuffer a
 * second one can only be a mistake, and on a small BAR1 it takes the room of
 * another vGPU's.
 */
struct vgpu_bar1 {
	struct vgpu_ranges windows; /* target: framebuffer offset */
	u64 fb_size;
};

/* A part of BAR1 at its start may be somebody else's: @reserved bytes. */
int vgpu_bar1_init(struct vgpu_bar1 *bar1, u64 size, u64 reserved, u64 fb_size,
		   struct vgpu_range *array, u32 capacity);

/*
 * Give a window on [@fb_offset, @fb_offset + @size) of the framebuffer, whole
 * pages of @page_bytes. -EINVAL: not whole pages, or not in the framebuffer;
 * -EEXIST: a part of it has a window; -ENOSPC: there is no room in BAR1.
 */
int vgpu_bar1_open(struct vgpu_bar1 *bar1, u64 fb_offset, u64 size,
		   u64 page_bytes, u64 *ret_start);

/* Is it a window, and not somebody else's part? */
bool vgpu_bar1_is_open(const struct vgpu_range *window);

/* -ENOENT: no window begins there. */
int vgpu_bar1_close(struct vgpu_bar1 *bar1, u64 start);

#endif
