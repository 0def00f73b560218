/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A falcon: reset, signed microcode, and the switch to its RISC-V core. */
#ifndef VGPU_KERNEL_CORE_HW_FALCON_H
#define VGPU_KERNEL_CORE_HW_FALCON_H

#include "kernel/core/pure/falcon_image.h"

struct vgpu_hw;

struct vgpu_falcon {
	struct vgpu_hw *hw;
	u32 base;
	u32 fuses;
};

u32 vgpu_falcon_read(struct vgpu_falcon *falcon, u32 offset);
void vgpu_falcon_write(struct vgpu_falcon *falcon, u32 offset, u32 value);

/* The version that the fuses ask of microcode @ucode_id. */
int vgpu_falcon_fuse_version(struct vgpu_falcon *falcon, u32 ucode_id,
			     u32 *ret_version);

int vgpu_falcon_reset(struct vgpu_falcon *falcon);
/* The same, and let it read system memory by physical addresses. */
int vgpu_falcon_reset_for_dma(struct vgpu_falcon *falcon);
int vgpu_falcon_reset_into_riscv(struct vgpu_falcon *falcon);
int vgpu_falcon_wait_riscv_active(struct vgpu_falcon *falcon);
bool vgpu_falcon_is_riscv_halted(struct vgpu_falcon *falcon);

void vgpu_falcon_start(struct vgpu_falcon *falcon);
int vgpu_falcon_wait_halted(struct vgpu_falcon *falcon);

/*
 * Reset it, load @image from its copy at the DMA address @copy, run it until it
 * halts. @mailbox: two words that it is given, and that it leaves.
 */
int vgpu_falcon_run(struct vgpu_falcon *falcon,
		    const struct vgpu_falcon_image *image, u64 copy,
		    u32 mailbox[2]);

#endif
