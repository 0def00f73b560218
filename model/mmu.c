// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BAR1 and BAR3 (the driver's "BAR2"): the CPU's windows on memory. Until the
 * firmware's RM has bound page directories they show VRAM from 0; then each
 * access walks the directory, in the format of Pascal and later:
 * OGK pascal/gp100/dev_mmu.h (NV_MMU_VER2_*).
 */
#include "model/model.h"
#include "model/host.h"

#define ENTRY_APERTURE(e)    BIT_RANGE(e, 2, 1)
#define PDE_APERTURE_INVALID 0
#define PDE_APERTURE_VIDEO   1
#define PTE_APERTURE_VIDEO   0
#define PTE_APERTURE_PEER    1
#define PTE_VALID	     (1ull << 0)
#define PTE_READ_ONLY	     (1ull << 6)
#define ENTRY_ADDR_VID(e)    ((uint64_t)BIT_RANGE(e, 32, 8) << 12)
#define ENTRY_ADDR_SYS(e)    ((((e) >> 8) & ((1ull << 46) - 1)) << 12)
#define PDE_BIG_ADDR_VID(e)  ((uint64_t)BIT_RANGE(e, 32, 4) << 8)
#define PDE_BIG_ADDR_SYS(e)  ((((e) >> 4) & ((1ull << 50) - 1)) << 8)

/* Which bits of an address choose the entry at each level above the last. */
static const struct {
	unsigned int high, low, entry_bytes;
} level[] = {
	{48, 47, 8},
	{46, 38, 8},
	{37, 29, 8},
	{28, 21, 16}, /* two: of a table of 64 KiB pages, and of 4 KiB pages */
};

struct target {
	bool sysmem;
	uint64_t addr;
	uint64_t span; /* how far the page goes on from there */
};

static uint64_t entry_at(GpuModel *m, struct target table, uint64_t index,
			 unsigned int bytes)
{
	uint64_t addr = table.addr + index * bytes;
	uint64_t entry = 0;

	if (table.sysmem) {
		model_dma_read(m, addr, &entry, sizeof(entry));
		return le64_to_cpu(entry);
	}
	return model_fb_contains(m, addr, 8) ? ldq_le_p(m->fb + addr) : 0;
}

static bool page_of(uint64_t pte, uint64_t va, unsigned int page_bits,
		    struct target *ret_target)
{
	if (!(pte & PTE_VALID) || ENTRY_APERTURE(pte) == PTE_APERTURE_PEER)
		return false;
	ret_target->sysmem = ENTRY_APERTURE(pte) != PTE_APERTURE_VIDEO;
	ret_target->addr =
		ret_target->sysmem ? ENTRY_ADDR_SYS(pte) : ENTRY_ADDR_VID(pte);
	ret_target->addr += va & ((1ull << page_bits) - 1);
	ret_target->span = (1ull << page_bits) - (va & ((1ull << page_bits) - 1));
	return true;
}

static bool translate(GpuModel *m, uint64_t pdb, uint64_t va, bool write,
		      struct target *ret_target)
{
	struct target table = {.sysmem = false, .addr = pdb};
	uint64_t entry, small;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(level); i++) {
		uint64_t index = BIT_RANGE(va, level[i].high, level[i].low);

		entry = entry_at(m, table, index, level[i].entry_bytes);
		/* A PDE has bit 0 clear: set, it is the PTE of a huge page. */
		if (entry & PTE_VALID)
			return i >= 2 && !(write && (entry & PTE_READ_ONLY)) &&
			       page_of(entry, va, level[i].low, ret_target);
		if (i == ARRAY_SIZE(level) - 1)
			break;
		if (ENTRY_APERTURE(entry) == PDE_APERTURE_INVALID)
			return false;
		table.sysmem = ENTRY_APERTURE(entry) != PDE_APERTURE_VIDEO;
		table.addr = table.sysmem ? ENTRY_ADDR_SYS(entry)
					  : ENTRY_ADDR_VID(entry);
	}

	/* The small pages' half of the entry first: it is the finer answer. */
	small = entry_at(m, (struct target){table.sysmem, table.addr + 8, 8},
			 BIT_RANGE(va, 28, 21), 16);
	if (ENTRY_APERTURE(small) != PDE_APERTURE_INVALID) {
		struct target pt = {.sysmem = ENTRY_APERTURE(small) !=
					      PDE_APERTURE_VIDEO};
		uint64_t pte;

		pt.addr = pt.sysmem ? ENTRY_ADDR_SYS(small)
				    : ENTRY_ADDR_VID(small);
		pte = entry_at(m, pt, BIT_RANGE(va, 20, 12), 8);
		if (pte & PTE_VALID)
			return !(write && (pte & PTE_READ_ONLY)) &&
			       page_of(pte, va, 12, ret_target);
	}
	if (ENTRY_APERTURE(entry) != PDE_APERTURE_INVALID) {
		struct target pt = {.sysmem = ENTRY_APERTURE(entry) !=
					      PDE_APERTURE_VIDEO};
		uint64_t pte;

		pt.addr = pt.sysmem ? PDE_BIG_ADDR_SYS(entry)
				    : PDE_BIG_ADDR_VID(entry);
		pte = entry_at(m, pt, BIT_RANGE(va, 20, 16), 8);
		return !(write && (pte & PTE_READ_ONLY)) &&
		       page_of(pte, va, 16, ret_target);
	}
	return false;
}

/* What engines do by a channel's addresses, page by page. */
enum va_access { VA_READ, VA_WRITE, VA_FILL };

static bool va_page(GpuModel *m, enum va_access access, struct target t,
		    void *buf, uint32_t word, uint64_t bytes)
{
	uint64_t i;

	if (access == VA_FILL) {
		if (!t.sysmem)
			return model_fb_engine_fill(m, t.addr, word, bytes);
		word = cpu_to_le32(word);
		for (i = 0; i + 4 <= bytes; i += 4)
			if (!model_dma_write(m, t.addr + i, &word, 4))
				return false;
		return true;
	}
	if (t.sysmem)
		return access == VA_READ
			       ? model_dma_read(m, t.addr, buf, bytes)
			       : model_dma_write(m, t.addr, buf, bytes);
	if (access == VA_WRITE)
		return model_fb_engine_write(m, t.addr, buf, bytes);
	return model_fb_engine_read(m, t.addr, buf, bytes);
}

static bool va_access(GpuModel *m, enum va_access access, uint64_t pdb,
		      uint64_t va, void *buf, uint32_t word, uint64_t bytes,
		      uint64_t *ret_addr)
{
	uint8_t *p = buf;

	while (bytes) {
		struct target t;
		uint64_t part;

		*ret_addr = va;
		if (!pdb || !translate(m, pdb, va, access != VA_READ, &t))
			return false;
		part = MIN(bytes, t.span);
		if (!va_page(m, access, t, p, word, part))
			return false;
		if (p)
			p += part;
		va += part;
		bytes -= part;
	}
	return true;
}

bool model_va_read(GpuModel *m, uint64_t pdb, uint64_t va, void *buf,
		   uint64_t bytes, uint64_t *ret_addr)
{
	return va_access(m, VA_READ, pdb, va, buf, 0, bytes, ret_addr);
}

bool model_va_write(GpuModel *m, uint64_t pdb, uint64_t va, const void *buf,
		    uint64_t bytes, uint64_t *ret_addr)
{
	return va_access(m, VA_WRITE, pdb, va, (void *)buf, 0, bytes, ret_addr);
}

bool model_va_fill(GpuModel *m, uint64_t pdb, uint64_t va, uint32_t word,
		   uint64_t bytes, uint64_t *ret_addr)
{
	return va_access(m, VA_FILL, pdb, va, NULL, word, bytes, ret_addr);
}

static uint64_t window_read(void *opaque, hwaddr va, unsigned int bytes)
{
	const struct window *w = opaque;
	struct target t = {.addr = va};
	GpuModel *m = w->m;
	uint64_t value = 0;

	if (*w->pdb && !translate(m, *w->pdb, va, false, &t)) {
		model_refuse(m, "mmu", "%s has no page to read at %" HWADDR_PRIx,
			     w->name, va);
		return ~0ull;
	}
	if (!t.sysmem)
		return model_fb_read(m, t.addr, bytes);
	model_dma_read(m, t.addr, &value, bytes);
	return le64_to_cpu(value);
}

static void window_write(void *opaque, hwaddr va, uint64_t value,
			 unsigned int bytes)
{
	const struct window *w = opaque;
	struct target t = {.addr = va};
	GpuModel *m = w->m;

	if (*w->pdb && !translate(m, *w->pdb, va, true, &t)) {
		model_refuse(m, "mmu", "%s has no page to write at %" HWADDR_PRIx,
			     w->name, va);
		return;
	}
	if (!t.sysmem) {
		model_fb_write(m, t.addr, value, bytes);
		return;
	}
	value = cpu_to_le64(value);
	model_dma_write(m, t.addr, &value, bytes);
}

static const MemoryRegionOps window_ops = {
	.read = window_read,
	.write = window_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8},
	.impl = {.min_access_size = 1, .max_access_size = 8},
};

#define BAR3_SIZE (32 * MiB)

void model_mmu_init_bars(GpuModel *m)
{
	m->window[0] = (struct window){m, "bar1", &m->bar1_pdb};
	m->window[1] = (struct window){m, "bar2", &m->bar2_pdb};
	memory_region_init_io(&m->bar1, OBJECT(m), &window_ops, &m->window[0],
			      "ad102-bar1", m->bar1_size);
	memory_region_init_io(&m->bar3, OBJECT(m), &window_ops, &m->window[1],
			      "ad102-bar3", BAR3_SIZE);
}
