// SPDX-License-Identifier: GPL-2.0-or-later
/* VRAM: sparse memory of the model's process, with WPR2 closed to the CPU. */
#include "model/model.h"

#include "qemu/madvise.h"

#include <sys/mman.h>

/* What a refused read gives; real ones differ by unit, all begin with bad. */
#define READ_REFUSED 0xbadf1100

bool model_fb_create(GpuModel *m, Error **errp)
{
	if (m->fb_size < 256 * MiB || m->fb_size > 64 * GiB || m->fb_size % MiB) {
		error_setg(errp, "fb-size is 256 MiB to 64 GiB, in whole MiB");
		return false;
	}
	/* Memory of QEMU's, for VFs to show parts of it without an exit. */
	if (!memory_region_init_ram_flags_nomigrate(&m->vram, OBJECT(m),
						    "ad102-vram", m->fb_size,
						    RAM_NORESERVE, errp))
		return false;
	m->fb = memory_region_get_ram_ptr(&m->vram);
	/* Sparse: a page that is written must not take 2 MiB. */
	qemu_madvise(m->fb, m->fb_size, QEMU_MADV_NOHUGEPAGE);
	return true;
}

bool model_fb_contains(const GpuModel *m, uint64_t addr, uint64_t bytes)
{
	return addr <= m->fb_size && bytes <= m->fb_size - addr;
}

static bool may(GpuModel *m, uint64_t addr, uint64_t bytes, const char *what)
{
	if (!model_fb_contains(m, addr, bytes)) {
		model_refuse(m, "fb", "%s beyond VRAM at %" PRIx64, what, addr);
		return false;
	}
	if (m->wpr2_hi && addr + bytes > m->wpr_start && addr < m->wpr_end) {
		model_refuse(m, "fb", "%s in WPR2 at %" PRIx64, what, addr);
		return false;
	}
	return true;
}

uint64_t model_fb_read(GpuModel *m, uint64_t addr, unsigned int bytes)
{
	return may(m, addr, bytes, "read") ? ldn_le_p(m->fb + addr, bytes)
					   : READ_REFUSED;
}

void model_fb_write(GpuModel *m, uint64_t addr, uint64_t value, unsigned int bytes)
{
	if (may(m, addr, bytes, "write"))
		stn_le_p(m->fb + addr, bytes, value);
}

bool model_fb_engine_read(GpuModel *m, uint64_t addr, void *buf, uint64_t bytes)
{
	if (!may(m, addr, bytes, "read"))
		return false;
	memcpy(buf, m->fb + addr, bytes);
	return true;
}

bool model_fb_engine_write(GpuModel *m, uint64_t addr, const void *buf,
			   uint64_t bytes)
{
	if (!may(m, addr, bytes, "write") ||
	    model_fault_strikes_vram(m, addr, bytes))
		return false;
	memcpy(m->fb + addr, buf, bytes);
	return true;
}

bool model_fb_engine_fill(GpuModel *m, uint64_t addr, uint32_t word,
			  uint64_t bytes)
{
	uint64_t page = qemu_real_host_page_size(), i;

	if (!may(m, addr, bytes, "fill") ||
	    model_fault_strikes_vram(m, addr, bytes))
		return false;
	/* Whole pages of zeroes need no memory. */
	if (!word && bytes >= page && addr % page == 0) {
		uint64_t whole = ROUND_DOWN(bytes, page);

		if (!madvise(m->fb + addr, whole, MADV_DONTNEED)) {
			addr += whole;
			bytes -= whole;
		}
	}
	for (i = 0; i + 4 <= bytes; i += 4)
		stl_le_p(m->fb + addr + i, word);
	return true;
}
