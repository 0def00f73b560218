// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the signed code does once its falcon runs it. The boot ROM's part first:
 * code is known by its bytes, not by a signature, which the model cannot check.
 * Then FWSEC on the GSP (OGK kernel_gsp_frts_tu102.c), Booter and the scrubber
 * on SEC2 (OGK arch/nvalloc/common/inc/gsp/gsp_fw_wpr_meta.h and kernel_gsp.c's
 * layout of VRAM; tag 570.144). The errors' numbers are the model's own.
 */
#include "model/model.h"

#define FWSEC_CMD_FRTS	     0x15
#define FWSEC_CMD_SB	     0x19
#define FRTS_BYTES	     (1 * MiB)
#define FRTS_MEDIA_FB	     2
#define READ_VBIOS_BYTES     24
#define READ_VBIOS_FLAGS     2
#define FRTS_REGION_BYTES    20
#define APP_HEADER_BYTES     4
#define APP_ENTRY_BYTES	     8
#define APP_ID_MAPPER	     4
#define MAPPER_CMD_IN_OFFSET 8
#define MAPPER_CMD_IN_BYTES  12
#define MAPPER_INIT_CMD	     44

#define WPR_ALIGN (128 * KiB)
#define GSP_PAGE  4096
/* GFW scrubs the end of VRAM; what is below needs the scrubber. */
#define PRE_SCRUBBED (256 * MiB)
/* OGK src/nvidia/arch/nvalloc/common/inc/gsp/gsp_fw_heap.h, libos3. */
#define HEAP_MIN_BARE	(88 * MiB)
#define HEAP_MIN_VGPU	(581 * MiB)
#define SIGNATURE_BYTES 384

#define WPR_META_MAGIC	  0xdc3aae21371a60b3ull
#define WPR_META_REVISION 1
#define WPR_META_VERIFIED 0xa0a0a0a0a0a0a0a0ull

struct wpr_meta {
	uint64_t magic, revision;
	uint64_t radix3_pa, radix3_bytes;
	uint64_t bootloader_pa, bootloader_bytes;
	uint64_t bootloader_code, bootloader_data, bootloader_manifest;
	uint64_t signature_pa, signature_bytes;
	uint64_t rsvd_start, non_wpr_heap, non_wpr_heap_bytes;
	uint64_t wpr_start, heap, heap_bytes, elf, boot_bin;
	uint64_t frts, frts_bytes, wpr_end, fb_bytes;
	uint64_t vga_workspace, vga_workspace_bytes;
	uint64_t boot_count;
	uint64_t partition_rpc[3];
	uint32_t ls_version[2];
	uint8_t vf_partitions, flags, padding[2];
	uint32_t pmu_reserved_bytes;
	uint64_t verified;
} QEMU_PACKED;

QEMU_BUILD_BUG_ON(sizeof(struct wpr_meta) != 256);
QEMU_BUILD_BUG_ON(offsetof(struct wpr_meta, wpr_start) != 112);
QEMU_BUILD_BUG_ON(offsetof(struct wpr_meta, vf_partitions) != 240);

/* Code for SEC2, known by what firmware-nvidia-graphics 20260916 holds. */
enum sec2_code {
	CODE_NONE,
	CODE_BOOTER_LOAD,
	CODE_BOOTER_UNLOAD,
	CODE_SCRUBBER
};

static const struct {
	enum sec2_code code;
	uint8_t ucode_id;
	uint32_t bytes;
	const char *sha256;
} sec2_known[] = {
	{CODE_BOOTER_LOAD, 3, 0x7d00,
	 "cc554149af920f2d886867ab7b5ff61a"
	 "51071e930790a27021a53148ed98fc47"},
	{CODE_BOOTER_UNLOAD, 3, 0x4f00,
	 "52dc95c40dacbdf5d214be03caf715f9"
	 "ebbb3feee64df466a6bfcd7f1a9e058c"},
	{CODE_SCRUBBER, 13, 0x1900,
	 "addac6c7c003d8483e2fd28714b56363"
	 "f73800880bc56a1aaeb10d9ea8f7d79f"},
};

static uint32_t get(const struct falcon *f, uint32_t offset)
{
	return f->regs[offset / 4];
}

/* The boot ROM takes only code that is signed for its engine. */
static bool brom_ready(struct falcon *f, uint32_t engine, uint32_t ucode_id)
{
	if (BIT_RANGE(get(f, FALCON2_MOD_SEL), 7, 0) != FALCON2_MOD_SEL_RSA3K)
		model_refuse(f->model, f->name, "boot ROM: MOD_SEL is not RSA3K");
	else if (!(get(f, FALCON2_BROM_ENGIDMASK) & engine))
		model_refuse(f->model, f->name,
			     "boot ROM: engine mask %x is not for this falcon",
			     get(f, FALCON2_BROM_ENGIDMASK));
	else if (BIT_RANGE(get(f, FALCON2_BROM_UCODE_ID), 7, 0) != ucode_id)
		model_refuse(f->model, f->name, "boot ROM: ucode id %u, not %u",
			     get(f, FALCON2_BROM_UCODE_ID), ucode_id);
	else
		return true;
	return false;
}

static void finish(struct falcon *f, uint32_t mailbox0)
{
	f->regs[FALCON_MAILBOX0 / 4] = mailbox0;
	f->irqstat |= FALCON_IRQ_HALT;
}

void model_boot_set_wpr2(GpuModel *m, uint64_t start, uint64_t end)
{
	m->wpr_start = start;
	m->wpr_end = end;
	m->wpr2_lo = end ? PFB_WPR_VAL(start) : 0;
	m->wpr2_hi = PFB_WPR_VAL(end);
}

/*
 * FWSEC
 */

static const uint8_t *fwsec_mapper(struct falcon *f)
{
	uint32_t limit = model_vbios_dmem_size();
	uint32_t at = 0x20; /* the descriptor's InterfaceOffset, see vbios.c */
	unsigned int i, count = f->dmem[at + 3];

	for (i = 0; i < count && i < 16; i++) {
		const uint8_t *entry =
			f->dmem + at + APP_HEADER_BYTES + i * APP_ENTRY_BYTES;
		uint32_t offset = get32(entry + 4);

		if (get32(entry) == APP_ID_MAPPER && offset <= limit - 64)
			return f->dmem + offset;
	}
	return NULL;
}

static const char *fwsec_frts(GpuModel *m, const uint8_t *command)
{
	const uint8_t *region = command + READ_VBIOS_BYTES;
	uint64_t start = (uint64_t)get32(region + 8) << 12;
	uint64_t bytes = (uint64_t)get32(region + 12) << 12;

	if (get32(region) != 1 || get32(region + 4) != FRTS_REGION_BYTES)
		return "the region's version or size is wrong";
	if (get32(region + 16) != FRTS_MEDIA_FB)
		return "the region is not in VRAM";
	if (bytes != FRTS_BYTES)
		return "the region is not 1 MiB";
	if (start % WPR_ALIGN || !model_fb_contains(m, start, bytes))
		return "the region is misaligned or beyond VRAM";
	if (m->wpr2_hi)
		return "WPR2 is up already";
	model_boot_set_wpr2(m, start, start + bytes);
	m->frts_offset = start;
	model_log(m, "fwsec", "FRTS at %" PRIx64 ", WPR2 is up", start);
	return NULL;
}

static void run_fwsec(struct falcon *f)
{
	GpuModel *m = f->model;
	const uint8_t *mapper, *command;
	const char *why = NULL;
	uint32_t at, cmd;

	if (!brom_ready(f, ENGINE_ID_GSP, VBIOS_FWSEC_UCODE_ID) ||
	    !model_vbios_is_fwsec(m, f, get(f, FALCON2_BROM_PARAADDR), &why)) {
		if (why)
			model_refuse(m, f->name, "boot ROM: %s", why);
		finish(f, 0xbad00001);
		return;
	}
	mapper = fwsec_mapper(f);
	at = mapper ? get32(mapper + MAPPER_CMD_IN_OFFSET) : UINT32_MAX;
	if (at > model_vbios_dmem_size() - 256) {
		model_refuse(m, "fwsec", "its command interface was overwritten");
		finish(f, 0xbad00002);
		return;
	}
	command = f->dmem + at;
	cmd = get32(mapper + MAPPER_INIT_CMD);
	if (get32(command) != 1 || get32(command + 4) != READ_VBIOS_BYTES ||
	    get32(command + 20) != READ_VBIOS_FLAGS)
		why = "the READ_VBIOS part of the command is wrong";

	switch (cmd) {
	case FWSEC_CMD_FRTS:
		if (!why)
			why = fwsec_frts(m, command);
		m->scratch[SCRATCH_FWSEC_FRTS] = why ? 1u << 16 : 0;
		break;
	case FWSEC_CMD_SB:
		m->scratch[SCRATCH_FWSEC_SB] = why ? 1 : 0;
		if (!why)
			model_log(m, "fwsec", "SB done");
		break;
	default:
		why = "there is no such command";
	}
	if (why)
		model_refuse(m, "fwsec", "command %x: %s", cmd, why);
	finish(f, 0);
}

/*
 * Booter
 */

/* Every page of the firmware must be there; what it holds is not looked at. */
static const char *check_radix3(GpuModel *m, const struct wpr_meta *w)
{
	uint64_t pages = DIV_ROUND_UP(w->radix3_bytes, GSP_PAGE);
	uint64_t table[GSP_PAGE / 8], leaf[GSP_PAGE / 8], i;

	if (w->radix3_pa % GSP_PAGE || !pages || pages > 512 * 512)
		return "the firmware's page table is misaligned, or its size is wrong";
	if (!model_dma_read(m, w->radix3_pa, table, 8) ||
	    !model_dma_read(m, le64_to_cpu(table[0]), table, sizeof(table)))
		return "the firmware's page table is not in memory";
	for (i = 0; i < pages; i++) {
		uint64_t pa;

		if (i % 512 == 0) {
			pa = le64_to_cpu(table[i / 512]);
			if (!pa || pa % GSP_PAGE ||
			    !model_dma_read(m, pa, leaf, sizeof(leaf)))
				return "a page of the firmware's page table is missing";
		}
		pa = le64_to_cpu(leaf[i % 512]);
		if (!pa || pa % GSP_PAGE)
			return "a page of the firmware is missing";
	}
	return NULL;
}

static const char *check_layout(GpuModel *m, const struct wpr_meta *w)
{
	uint64_t heap_min = w->vf_partitions ? HEAP_MIN_VGPU : HEAP_MIN_BARE;

	/* The sums below cannot overflow once each part lies in VRAM. */
	const struct {
		uint64_t start, bytes, align;
		const char *what;
	} part[] = {
		{w->non_wpr_heap, w->non_wpr_heap_bytes, GSP_PAGE,
		 "the heap outside of WPR"},
		{w->wpr_start, sizeof(*w), WPR_ALIGN, "the start of WPR"},
		{w->heap, w->heap_bytes, 1 * MiB, "the heap"},
		{w->elf, w->radix3_bytes, 64 * KiB, "the firmware"},
		{w->boot_bin, w->bootloader_bytes, GSP_PAGE, "the bootloader"},
		{w->frts, w->frts_bytes, WPR_ALIGN, "FRTS"},
		{w->wpr_end, 0, WPR_ALIGN, "the end of WPR"},
		{w->vga_workspace, w->vga_workspace_bytes, GSP_PAGE,
		 "the VGA workspace"},
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(part); i++) {
		if (!model_fb_contains(m, part[i].start, part[i].bytes) ||
		    part[i].start % part[i].align) {
			model_refuse(m, "booter",
				     "%s is misaligned or beyond VRAM",
				     part[i].what);
			return "the layout is wrong";
		}
		if (i && part[i - 1].start + part[i - 1].bytes > part[i].start) {
			model_refuse(m, "booter", "%s overlaps %s",
				     part[i - 1].what, part[i].what);
			return "the layout is wrong";
		}
	}
	if (w->fb_bytes != m->fb_size)
		return "the size of VRAM is wrong";
	if (w->frts != m->frts_offset || w->frts_bytes != FRTS_BYTES ||
	    w->frts + w->frts_bytes != w->wpr_end)
		return "FRTS is not where FWSEC put it, or not at the end of WPR";
	if (w->heap_bytes < heap_min)
		return "the heap is too small";
	if (m->fb_size - w->wpr_start > PRE_SCRUBBED && !m->scrubbed)
		return "WPR reaches below what is scrubbed";
	return NULL;
}

static const char *booter_load(GpuModel *m, uint64_t meta_pa)
{
	struct wpr_meta w;
	const char *why;

	if (model_suspend_is_meta(m, meta_pa))
		return model_suspend_restore(m, meta_pa);
	if (meta_pa % 16 || !model_dma_read(m, meta_pa, &w, sizeof(w)))
		return "there are no WPR metadata at this address";
	if (w.magic != WPR_META_MAGIC || w.revision != WPR_META_REVISION)
		return "the magic or the revision of the WPR metadata is wrong";
	if (w.verified)
		return "the WPR metadata say that they are verified";
	if (!m->wpr2_hi || m->gsp_booted)
		return "FWSEC has not run, or the GSP runs already";
	if (w.signature_pa % 256 || !w.signature_bytes ||
	    w.bootloader_pa % GSP_PAGE)
		return "the bootloader or the signature is misaligned";
	if (w.bootloader_code >= w.bootloader_bytes ||
	    w.bootloader_data >= w.bootloader_bytes ||
	    w.bootloader_manifest >= w.bootloader_bytes)
		return "an offset is beyond the bootloader";
	why = check_layout(m, &w);
	if (!why)
		why = check_radix3(m, &w);
	if (why)
		return why;
	if (!(get(&m->gsp, RISCV_BCR_CTRL) & RISCV_BCR_CORE_RISCV))
		return "the GSP was not reset into RISC-V";

	w.verified = WPR_META_VERIFIED;
	memcpy(m->fb + w.wpr_start, &w, sizeof(w));
	model_boot_set_wpr2(m, w.wpr_start, w.wpr_end);
	m->non_wpr_heap = w.non_wpr_heap;
	m->gsp_booted = true;
	model_log(m, "booter",
		  "WPR2 is %" PRIx64 "..%" PRIx64
		  ", %u partitions; the GSP starts",
		  w.wpr_start, w.wpr_end, w.vf_partitions);
	model_gsp_start(m);
	return NULL;
}

static const char *booter_unload(GpuModel *m, uint32_t mailbox0, uint32_t mailbox1)
{
	if (m->gsp.riscv_active)
		return "the GSP still runs";
	if (mailbox0 != 0xff || mailbox1 != 0xff)
		return model_suspend_save(m, (uint64_t)mailbox1 << 32 | mailbox0);
	model_boot_set_wpr2(m, 0, 0);
	m->gsp_booted = false;
	model_log(m, "booter", "WPR2 is down");
	return NULL;
}

static enum sec2_code sec2_code(struct falcon *f)
{
	g_autofree char *sum = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, f->imem, f->imem_used);
	uint32_t para = get(f, FALCON2_BROM_PARAADDR);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sec2_known); i++)
		if (f->imem_used == sec2_known[i].bytes &&
		    !strcmp(sum, sec2_known[i].sha256))
			break;
	if (i == ARRAY_SIZE(sec2_known)) {
		model_refuse(f->model, f->name,
			     "boot ROM: unknown code, %x bytes, sha256 %s",
			     f->imem_used, sum);
		return CODE_NONE;
	}
	if (!brom_ready(f, ENGINE_ID_SEC2, sec2_known[i].ucode_id))
		return CODE_NONE;
	if (para > FALCON_DMEM_SIZE - SIGNATURE_BYTES ||
	    buffer_is_zero(f->dmem + para, SIGNATURE_BYTES)) {
		model_refuse(f->model, f->name, "boot ROM: no signature at %x",
			     para);
		return CODE_NONE;
	}
	return sec2_known[i].code;
}

static void run_sec2(struct falcon *f)
{
	GpuModel *m = f->model;
	uint32_t mailbox0 = get(f, FALCON_MAILBOX0),
		 mailbox1 = get(f, FALCON_MAILBOX1);
	const char *why = NULL;

	switch (sec2_code(f)) {
	case CODE_NONE:
		finish(f, 0xbad00001);
		return;
	case CODE_BOOTER_LOAD:
		why = booter_load(m, (uint64_t)mailbox1 << 32 | mailbox0);
		break;
	case CODE_BOOTER_UNLOAD:
		why = booter_unload(m, mailbox0, mailbox1);
		break;
	case CODE_SCRUBBER:
		m->scrubbed = true;
		model_log(m, "scrubber", "all of VRAM is scrubbed");
		break;
	}
	if (why)
		model_refuse(m, "booter", "%s", why);
	finish(f, why ? 0xbad00002 : 0);
}

void model_boot_run(struct falcon *f)
{
	if (f == &f->model->gsp)
		run_fwsec(f);
	else
		run_sec2(f);
}
