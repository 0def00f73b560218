/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GPU's memory by a window in BAR0: for what BAR1 itself goes by. */
#ifndef VGPU_KERNEL_CORE_HW_VRAM_H
#define VGPU_KERNEL_CORE_HW_VRAM_H

#include "hw.h"

/*
 * Slow, two accesses for each: tables and structures are written so, data by
 * BAR1. Addresses are aligned to what is accessed.
 */
void vgpu_vram_write32(struct vgpu_hw *hw, u64 address, u32 value);
void vgpu_vram_zero(struct vgpu_hw *hw, u64 address, u64 bytes);

/*
 * An entry of a page table. Its low half, which says whether it is valid, is
 * the last that is written, and the first that is cleared.
 */
void vgpu_vram_write_entry(struct vgpu_hw *hw, u64 address, u64 entry);

/* What was written before reaches the memory before this returns. */
void vgpu_vram_flush(struct vgpu_hw *hw, u64 address);

/* The MMU forgets what it knows of the tables below @directory. */
int vgpu_vram_invalidate(struct vgpu_hw *hw, u64 directory, bool is_hub_only);

#endif
