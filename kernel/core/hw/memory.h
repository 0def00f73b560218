/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that the GPU reads and writes. */
#ifndef VGPU_KERNEL_CORE_HW_MEMORY_H
#define VGPU_KERNEL_CORE_HW_MEMORY_H

#include <linux/dma-direction.h>

#include "hw.h"

#define VGPU_PAGE_BYTES 4096 /* the GSP's, whatever the kernel's is */

/* One piece, zeroed; all 0 where there is none. */
struct vgpu_dma {
	void *memory;
	dma_addr_t address;
	size_t bytes;
};

int vgpu_dma_create(struct vgpu_hw *hw, size_t bytes, struct vgpu_dma *ret_dma);
int vgpu_dma_create_copy(struct vgpu_hw *hw, const void *data, size_t bytes,
			 struct vgpu_dma *ret_dma);
void vgpu_dma_destroy(struct vgpu_hw *hw, struct vgpu_dma *dma);

/* Put the addresses of all pages of @dma into @table. */
void vgpu_dma_list_pages(const struct vgpu_dma *dma, u64 *table);

/* Much of it, in pages wherever they are; filled with @data, or zeroed. */
struct vgpu_pages {
	void *memory;
	u64 count;
	dma_addr_t *addresses;
	enum dma_data_direction direction;
};

int vgpu_pages_create(struct vgpu_hw *hw, u64 bytes,
		      enum dma_data_direction direction, const void *data,
		      struct vgpu_pages *ret_pages);
void vgpu_pages_destroy(struct vgpu_hw *hw, struct vgpu_pages *pages);

/*
 * The same with three levels of tables with 512 addresses a page that lead to
 * the pages; the first level is one page.
 */
struct vgpu_radix3 {
	struct vgpu_pages pages;
	struct vgpu_dma levels[3];
};

int vgpu_radix3_create(struct vgpu_hw *hw, u64 bytes,
		       enum dma_data_direction direction, const void *data,
		       struct vgpu_radix3 *ret_radix3);
void vgpu_radix3_destroy(struct vgpu_hw *hw, struct vgpu_radix3 *radix3);

#endif
