// SPDX-License-Identifier: GPL-2.0-or-later
/* System memory as the GPU reaches it: as a PCI device, behind any IOMMU. */
#include "model/model.h"

bool model_dma_read(GpuModel *m, uint64_t addr, void *buf, size_t bytes)
{
	if (pci_dma_read(&m->pci, addr, buf, bytes) == MEMTX_OK)
		return true;
	model_refuse(m, "dma", "no memory to read at %" PRIx64 " + %zx", addr,
		     bytes);
	memset(buf, 0, bytes);
	return false;
}

bool model_dma_write(GpuModel *m, uint64_t addr, const void *buf, size_t bytes)
{
	if (pci_dma_write(&m->pci, addr, buf, bytes) == MEMTX_OK)
		return true;
	model_refuse(m, "dma", "no memory to write at %" PRIx64 " + %zx", addr,
		     bytes);
	return false;
}
