// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that the GPU reads and writes. */
#include "memory.h"

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#define ENTRIES_PER_PAGE (VGPU_PAGE_BYTES / sizeof(u64))

static_assert(PAGE_SIZE == VGPU_PAGE_BYTES, "pages are mapped one by one");

int vgpu_dma_create(struct vgpu_hw *hw, size_t bytes, struct vgpu_dma *ret_dma)
{
	struct vgpu_dma dma = {.bytes = bytes};

	dma.memory = dma_alloc_coherent(&hw->pdev->dev, bytes, &dma.address,
					GFP_KERNEL | __GFP_NOWARN);
	if (!dma.memory)
		return -ENOMEM;
	*ret_dma = dma;
	return 0;
}

int vgpu_dma_create_copy(struct vgpu_hw *hw, const void *data, size_t bytes,
			 struct vgpu_dma *ret_dma)
{
	int rc = vgpu_dma_create(hw, bytes, ret_dma);

	if (rc == 0)
		memcpy(ret_dma->memory, data, bytes);
	return rc;
}

void vgpu_dma_destroy(struct vgpu_hw *hw, struct vgpu_dma *dma)
{
	if (dma->memory)
		dma_free_coherent(&hw->pdev->dev, dma->bytes, dma->memory,
				  dma->address);
	*dma = (struct vgpu_dma){};
}

void vgpu_dma_list_pages(const struct vgpu_dma *dma, u64 *table)
{
	u64 i;

	for (i = 0; i < dma->bytes / VGPU_PAGE_BYTES; i++)
		table[i] = dma->address + i * VGPU_PAGE_BYTES;
}

static int memory_map_pages(struct vgpu_hw *hw, struct vgpu_pages *pages)
{
	struct device *dev = &hw->pdev->dev;
	dma_addr_t address;
	u64 i;

	for (i = 0; i < pages->count; i++) {
		struct page *page = vmalloc_to_page((u8 *)pages->memory +
						    i * VGPU_PAGE_BYTES);

		address = dma_map_page(dev, page, 0, VGPU_PAGE_BYTES,
				       pages->direction);
		if (dma_mapping_error(dev, address)) {
			/* So that only what is mapped will be unmapped. */
			pages->count = i;
			return -ENOMEM;
		}
		pages->addresses[i] = address;
	}
	return 0;
}

int vgpu_pages_create(struct vgpu_hw *hw, u64 bytes,
		      enum dma_data_direction direction, const void *data,
		      struct vgpu_pages *ret_pages)
{
	struct vgpu_pages pages = {
		.count = DIV_ROUND_UP_ULL(bytes, VGPU_PAGE_BYTES),
		.direction = direction,
	};
	int rc = -ENOMEM;

	/* It may be too much; then that is no fault of the kernel's. */
	pages.memory = __vmalloc(pages.count * VGPU_PAGE_BYTES,
				 GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN |
					 __GFP_RETRY_MAYFAIL);
	pages.addresses = kvcalloc(pages.count, sizeof(*pages.addresses),
				   GFP_KERNEL | __GFP_NOWARN);
	if (!pages.memory || !pages.addresses) {
		pages.count = 0;
		goto err;
	}
	if (data)
		memcpy(pages.memory, data, bytes);
	rc = memory_map_pages(hw, &pages);
	if (rc)
		goto err;
	*ret_pages = pages;
	return 0;
err:
	vgpu_pages_destroy(hw, &pages);
	return rc;
}

void vgpu_pages_destroy(struct vgpu_hw *hw, struct vgpu_pages *pages)
{
	u64 i;

	for (i = 0; i < pages->count; i++)
		dma_unmap_page(&hw->pdev->dev, pages->addresses[i],
			       VGPU_PAGE_BYTES, pages->direction);
	kvfree(pages->addresses);
	vfree(pages->memory);
	*pages = (struct vgpu_pages){};
}

/* Each level holds the addresses of the next one's pages, the last the image's. */
static int memory_make_levels(struct vgpu_hw *hw, struct vgpu_radix3 *radix3)
{
	u64 entries = radix3->pages.count, i;
	int level, rc;

	for (level = 2; level >= 0; level--) {
		u64 pages = DIV_ROUND_UP(entries, ENTRIES_PER_PAGE);

		rc = vgpu_dma_create(hw, pages * VGPU_PAGE_BYTES,
				     &radix3->levels[level]);
		if (rc)
			return rc;
		entries = pages;
	}
	if (entries != 1)
		return -EFBIG;
	for (i = 0; i < radix3->pages.count; i++)
		((u64 *)radix3->levels[2].memory)[i] = radix3->pages.addresses[i];
	vgpu_dma_list_pages(&radix3->levels[2], radix3->levels[1].memory);
	vgpu_dma_list_pages(&radix3->levels[1], radix3->levels[0].memory);
	return 0;
}

int vgpu_radix3_create(struct vgpu_hw *hw, u64 bytes,
		       enum dma_data_direction direction, const void *data,
		       struct vgpu_radix3 *ret_radix3)
{
	struct vgpu_radix3 radix3 = {};
	int rc;

	rc = vgpu_pages_create(hw, bytes, direction, data, &radix3.pages);
	if (rc == 0)
		rc = memory_make_levels(hw, &radix3);
	if (rc)
		vgpu_radix3_destroy(hw, &radix3);
	else
		*ret_radix3 = radix3;
	return rc;
}

void vgpu_radix3_destroy(struct vgpu_hw *hw, struct vgpu_radix3 *radix3)
{
	int level;

	for (level = 0; level < 3; level++)
		vgpu_dma_destroy(hw, &radix3->levels[level]);
	vgpu_pages_destroy(hw, &radix3->pages);
}
