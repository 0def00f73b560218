// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Suspend and resume. The RM puts what it has in VRAM into memory of the
 * driver's, Booter does so with WPR; on the way back Booter alone brings the GSP
 * up. OGK src/nvidia/arch/nvalloc/common/inc/gsp/gsp_fw_sr_meta.h, nvkm
 * gsp/rm/r570/fbsr.c. What the firmware remembers stays in the model, and a
 * cookie in the driver's memory says whether it kept that: it need not be read
 * by anyone else, and nothing is executed out of it.
 */
#include "model/model.h"
#include "model/vgpu.h"

#define SR_META_MAGIC	 0x8a3bb9e6c6c39d93ull
#define SR_META_REVISION 2
#define SR_META_BYTES	 256
#define SR_DATA_PA_AT	 16
#define SR_DATA_BYTES_AT 24
#define GSP_PAGE	 4096

/* RMARGS: srInitArguments, OGK gsp_abi_check.c. */
#define RMARGS_OLD_LEVEL     32
#define RMARGS_PM_TRANSITION 40
#define RMARGS_SR_END	     44
#define POWER_LEVEL_3	     3

bool model_suspend_is_meta(GpuModel *m, uint64_t meta_pa)
{
	uint64_t magic;

	return meta_pa &&
	       pci_dma_read(&m->pci, meta_pa, &magic, sizeof(magic)) == MEMTX_OK &&
	       le64_to_cpu(magic) == SR_META_MAGIC;
}

/* The first page of the saved data, once each of its pages is found there. */
static const char *data_page(GpuModel *m, uint64_t meta_pa, uint64_t *ret_pa)
{
	uint8_t meta[SR_META_BYTES];
	uint64_t entry, level1, leaf[GSP_PAGE / 8], bytes, i;

	if (meta_pa % 16 || !model_dma_read(m, meta_pa, meta, sizeof(meta)))
		return "there are no suspend metadata at this address";
	if (ldq_le_p(meta) != SR_META_MAGIC ||
	    ldq_le_p(meta + 8) != SR_META_REVISION)
		return "the magic or the revision of the suspend metadata is wrong";
	if (meta_pa != m->suspend.meta_pa)
		return "the RM was told of other suspend metadata";
	bytes = ldq_le_p(meta + SR_DATA_BYTES_AT);
	if (bytes != m->suspend.wpr_end - m->suspend.wpr_start)
		return "the suspend data have not the size of WPR";
	if (!model_dma_read(m, ldq_le_p(meta + SR_DATA_PA_AT), &entry, 8))
		return "the suspend data's page table is not in memory";
	level1 = le64_to_cpu(entry);
	for (i = 0; i < bytes / GSP_PAGE; i++) {
		if (i % 512 == 0 &&
		    (!model_dma_read(m, level1 + i / 512 * 8, &entry, 8) ||
		     !model_dma_read(m, le64_to_cpu(entry), leaf, sizeof(leaf))))
			return "the suspend data's page table is not in memory";
		if (!leaf[i % 512] || le64_to_cpu(leaf[i % 512]) % GSP_PAGE)
			return "a page of the suspend data is missing";
		if (!i)
			*ret_pa = le64_to_cpu(leaf[0]);
	}
	return NULL;
}

/* The RM goes to sleep; false: it was not told where to put what it has. */
bool model_suspend_unload(GpuModel *m)
{
	struct suspend *s = &m->suspend;

	if (model_vgpu_any(m)) {
		model_refuse(m, "rm", "to sleep, while there are vGPUs");
		return false;
	}
	if (!s->prepared) {
		model_refuse(m, "rm", "to sleep, with no FBSR_INIT before");
		return false;
	}
	if (!model_dma_write(m, s->fbsr_page[0], m->fb + m->bar1_pdb, GSP_PAGE) ||
	    !model_dma_write(m, s->fbsr_page[1], m->fb + m->bar2_pdb, GSP_PAGE))
		return false;
	/* BAR1 and BAR2 go by no directory until the RM is back. */
	s->bar1_pdb = m->bar1_pdb;
	s->bar2_pdb = m->bar2_pdb;
	m->bar1_pdb = m->bar2_pdb = 0;
	s->unloaded = true;
	s->wpr_start = m->wpr_start;
	s->wpr_end = m->wpr_end;
	s->rmargs_pa = m->msgq.rmargs_pa;
	return true;
}

const char *model_suspend_save(GpuModel *m, uint64_t meta_pa)
{
	struct suspend *s = &m->suspend;
	uint64_t pa = 0, cookie;
	const char *why;

	if (!s->unloaded || !m->wpr2_hi)
		return "to sleep, but the RM was not unloaded for that";
	why = data_page(m, meta_pa, &pa);
	if (why)
		return why;
	s->cookie = (uint64_t)g_random_int() << 32 | g_random_int();
	cookie = cpu_to_le64(s->cookie);
	if (!model_dma_write(m, pa, &cookie, sizeof(cookie)))
		return "the suspend data are not in memory";
	s->saved = true;
	m->gsp_booted = false;
	model_boot_set_wpr2(m, 0, 0);
	model_log(m, "booter", "WPR is saved, WPR2 is down");
	return NULL;
}

const char *model_suspend_restore(GpuModel *m, uint64_t meta_pa)
{
	struct suspend *s = &m->suspend;
	uint64_t pa = 0, cookie;
	const char *why;

	if (!s->saved)
		return "there is nothing to resume";
	why = data_page(m, meta_pa, &pa);
	if (why)
		return why;
	if (!model_dma_read(m, pa, &cookie, sizeof(cookie)) ||
	    le64_to_cpu(cookie) != s->cookie)
		return "the suspend data are not what was saved";
	s->saved = false;
	m->gsp_booted = true;
	m->scrubbed = true;
	model_boot_set_wpr2(m, s->wpr_start, s->wpr_end);
	model_log(m, "booter", "WPR is restored; the GSP starts");
	model_gsp_wake(m);
	return NULL;
}

bool model_suspend_wake(GpuModel *m)
{
	struct suspend *s = &m->suspend;
	uint8_t args[RMARGS_SR_END];

	if (!model_dma_read(m, s->rmargs_pa, args, sizeof(args)) ||
	    get32(args + RMARGS_OLD_LEVEL) != POWER_LEVEL_3 ||
	    !args[RMARGS_PM_TRANSITION]) {
		model_refuse(m, "rm", "RMARGS do not tell of a resume");
		return false;
	}
	if (!model_dma_read(m, s->fbsr_page[0], m->fb + s->bar1_pdb, GSP_PAGE) ||
	    !model_dma_read(m, s->fbsr_page[1], m->fb + s->bar2_pdb, GSP_PAGE))
		return false;
	m->bar1_pdb = s->bar1_pdb;
	m->bar2_pdb = s->bar2_pdb;
	memset(s, 0, sizeof(*s));
	return true;
}
