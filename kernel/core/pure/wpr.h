/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the firmware's part of the framebuffer lies: WPR2 and its neighbours. */
#ifndef VGPU_KERNEL_CORE_PURE_WPR_H
#define VGPU_KERNEL_CORE_PURE_WPR_H

#include "port.h"

#define VGPU_FRTS_BYTES		0x100000
#define VGPU_WPR_META_BYTES	0x100 /* of the structure itself */
#define VGPU_NON_WPR_HEAP_BYTES 0x100000

/*
 *  end of the framebuffer
 *   +---------------------+
 *   | VGA workspace       |
 *   +---------------------+ <- wpr_end, 128 KiB aligned
 *   | FRTS                |
 *   +---------------------+
 *   | bootloader          | 4 KiB aligned
 *   +---------------------+
 *   | GSP firmware        | 64 KiB aligned
 *   +---------------------+
 *   | heap                | 1 MiB aligned
 *   +---------------------+
 *   | WPR metadata        |
 *   +---------------------+ <- wpr_start, 1 MiB aligned
 *   | non-WPR heap        |
 *   +---------------------+ <- all above it is the firmware's
 */
struct vgpu_wpr_layout {
	u64 fb_bytes;
	u64 vga_workspace_offset;
	u64 wpr_end;
	u64 frts_offset;
	u64 bootloader_offset;
	u64 gsp_offset;
	u64 heap_offset;
	u64 heap_bytes;
	u64 wpr_start;
	u64 non_wpr_heap_offset;
};

struct vgpu_wpr_request {
	u64 fb_bytes;
	/* As the display's register says, or 0 where it says nothing. */
	u64 vga_workspace;
	u64 bootloader_bytes;
	u64 gsp_bytes;
	u64 heap_bytes;
};

/* -ENOSPC: the framebuffer is too small for it. */
int vgpu_wpr_layout_init(struct vgpu_wpr_layout *layout,
			 const struct vgpu_wpr_request *request);

#endif
