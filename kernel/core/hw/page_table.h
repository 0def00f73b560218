/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables of the GPU's MMU, in the format of Pascal and later. */
#ifndef VGPU_KERNEL_CORE_HW_PAGE_TABLE_H
#define VGPU_KERNEL_CORE_HW_PAGE_TABLE_H

#include "kernel/core/pure/port.h"

/*
 * An entry of a directory leads to the next table:
 *
 *   directory 3 -> 2 -> 1 -> 0 -+-> table of 64 KiB pages
 *   bits   47     38   29   21  +-> table of 4 KiB pages
 *
 * The entries of directory 0 are pairs, one for each kind of table; the first
 * of a pair may be a huge page's itself.
 */
#define VGPU_PD_BYTES	      4096
#define VGPU_PD_ENTRIES	      512
#define VGPU_PD3_SHIFT	      47
#define VGPU_PD2_SHIFT	      38
#define VGPU_PD1_SHIFT	      29
#define VGPU_PD0_SHIFT	      21
#define VGPU_PD0_ENTRIES      256
#define VGPU_PD0_ENTRY_BYTES  16
#define VGPU_PD0_SMALL	      8 /* in a pair: where the 4 KiB table's is */
#define VGPU_ENTRY_BYTES      8
#define VGPU_BIG_PAGE_SHIFT   16
#define VGPU_BIG_PT_ENTRIES   32
#define VGPU_BIG_PT_BYTES     (VGPU_BIG_PT_ENTRIES * VGPU_ENTRY_BYTES)
#define VGPU_SMALL_PAGE_SHIFT 12
#define VGPU_SMALL_PT_ENTRIES 512

#define VGPU_PTE_VALID	    0x01
#define VGPU_ENTRY_VRAM_PDE 0x02 /* where what follows lies */
#define VGPU_ENTRY_SYSMEM   0x04 /* coherent, of the CPU's */
#define VGPU_ENTRY_VOLATILE 0x08
#define VGPU_ENTRY_SHIFT    4 /* addresses are aligned: these bits are 0 */

static inline u64 vgpu_pde(u64 table)
{
	return table >> VGPU_ENTRY_SHIFT | VGPU_ENTRY_VRAM_PDE;
}

static inline u64 vgpu_pte_vram(u64 page)
{
	return page >> VGPU_ENTRY_SHIFT | VGPU_PTE_VALID;
}

static inline u64 vgpu_pte_sysmem(u64 page)
{
	return page >> VGPU_ENTRY_SHIFT | VGPU_ENTRY_VOLATILE |
	       VGPU_ENTRY_SYSMEM | VGPU_PTE_VALID;
}

#endif
