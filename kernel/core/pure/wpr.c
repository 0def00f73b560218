// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the firmware's part of the framebuffer lies: WPR2 and its neighbours. */
#include "wpr.h"

#define MIB		     0x100000
#define VGA_WORKSPACE_BYTES  0x20000
#define PRAMIN_BYTES	     0x100000
#define WPR_END_ALIGNMENT    0x20000
#define BOOTLOADER_ALIGNMENT 0x1000
#define GSP_ALIGNMENT	     0x10000

/* Go down by @bytes and then to a multiple of @alignment. */
static bool wpr_step_down(u64 *at, u64 bytes, u64 alignment)
{
	if (bytes > *at)
		return false;
	*at = vgpu_align_down(*at - bytes, alignment);
	return true;
}

static u64 wpr_find_vga_workspace(u64 fb_bytes, u64 said)
{
	if (said == 0 || said >= fb_bytes)
		return fb_bytes - PRAMIN_BYTES;
	/* Where it is further down it is moved to the end. */
	if (said < fb_bytes - PRAMIN_BYTES)
		return fb_bytes - VGA_WORKSPACE_BYTES;
	return said;
}

int vgpu_wpr_layout_init(struct vgpu_wpr_layout *layout,
			 const struct vgpu_wpr_request *request)
{
	struct vgpu_wpr_layout found = {.fb_bytes = request->fb_bytes};
	u64 at;

	if (request->fb_bytes < PRAMIN_BYTES)
		return -ENOSPC;
	found.vga_workspace_offset =
		wpr_find_vga_workspace(request->fb_bytes, request->vga_workspace);
	found.wpr_end =
		vgpu_align_down(found.vga_workspace_offset, WPR_END_ALIGNMENT);
	at = found.wpr_end;
	if (!wpr_step_down(&at, VGPU_FRTS_BYTES, 1))
		return -ENOSPC;
	found.frts_offset = at;
	if (!wpr_step_down(&at, request->bootloader_bytes, BOOTLOADER_ALIGNMENT))
		return -ENOSPC;
	found.bootloader_offset = at;
	if (!wpr_step_down(&at, request->gsp_bytes, GSP_ALIGNMENT))
		return -ENOSPC;
	found.gsp_offset = at;
	if (!wpr_step_down(&at, request->heap_bytes, MIB))
		return -ENOSPC;
	found.heap_offset = at;
	found.heap_bytes = vgpu_align_down(found.gsp_offset - at, MIB);
	if (!wpr_step_down(&at, VGPU_WPR_META_BYTES, MIB))
		return -ENOSPC;
	found.wpr_start = at;
	if (!wpr_step_down(&at, VGPU_NON_WPR_HEAP_BYTES, MIB))
		return -ENOSPC;
	found.non_wpr_heap_offset = at;
	*layout = found;
	return 0;
}
