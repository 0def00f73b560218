// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A falcon from outside: registers, memory loaded by DMA, reset, start, halt.
 * What its code does is in boot.c; it takes a moment, as on a GPU.
 */
#include "model/model.h"

#define CODE_RUNS_NS (200 * SCALE_US)

static uint32_t *reg(struct falcon *f, uint32_t offset)
{
	return &f->regs[offset / 4];
}

static void code_done(void *opaque)
{
	struct falcon *f = opaque;

	f->running = false;
	f->halted = true;
	model_boot_run(f);
}

void model_falcon_init(GpuModel *m, struct falcon *f, const char *name,
		       uint32_t base)
{
	f->model = m;
	f->name = name;
	f->base = base;
	f->done = timer_new_ns(QEMU_CLOCK_VIRTUAL, code_done, f);
}

void model_falcon_finish(struct falcon *f)
{
	if (f->done)
		timer_free(f->done);
	f->done = NULL;
}

/* A reset of the engine clears its memories and registers. */
void model_falcon_reset(struct falcon *f)
{
	timer_del(f->done);
	if (f->riscv_active && f == &f->model->gsp)
		model_gsp_stop(f->model);
	memset(f->regs, 0, sizeof(f->regs));
	memset(f->imem, 0, sizeof(f->imem));
	memset(f->dmem, 0, sizeof(f->dmem));
	memset(f->imem_tag, 0xff, sizeof(f->imem_tag));
	f->imem_used = 0;
	f->irqstat = 0;
	f->riscv_irqmask = 0;
	f->running = f->riscv_active = false;
	f->halted = true;
}

void model_falcon_raise(struct falcon *f, uint32_t irq)
{
	f->irqstat |= irq;
	if (f->irqstat & f->riscv_irqmask)
		model_intr_trigger(f->model, INTR_VECTOR_GSP);
}

/* One block between memory and IMEM or DMEM, as DMATRFCMD says. */
static void transfer(struct falcon *f, uint32_t cmd)
{
	GpuModel *m = f->model;
	uint32_t bytes = 4u << BIT_RANGE(cmd, 10, 8);
	uint32_t context = BIT_RANGE(cmd, 14, 12);
	uint32_t config = *reg(f, FALCON_FBIF_TRANSCFG + context * 4);
	uint32_t at = *reg(f, FALCON_DMATRFMOFFS) & 0xffffff;
	uint64_t base = (uint64_t)(*reg(f, FALCON_DMATRFBASE1) & 0x1ff) << 40 |
			(uint64_t)*reg(f, FALCON_DMATRFBASE) << 8;
	uint64_t from = base + *reg(f, FALCON_DMATRFFBOFFS);
	bool imem = cmd & FALCON_DMATRFCMD_IMEM;
	uint8_t *memory = imem ? f->imem : f->dmem;

	if (f->running) {
		model_refuse(m, f->name, "DMA while code runs");
		return;
	}
	if (cmd & FALCON_DMATRFCMD_WRITE) {
		model_refuse(m, f->name, "DMA out of the falcon by the CPU");
		return;
	}
	if (at % bytes ||
	    at + bytes > (imem ? FALCON_IMEM_SIZE : FALCON_DMEM_SIZE)) {
		model_refuse(m, f->name, "DMA of %u bytes to %cMEM at %x",
			     bytes, imem ? 'I' : 'D', at);
		return;
	}
	if (!(config & FBIF_TRANSCFG_PHYSICAL) ||
	    !(*reg(f, FALCON_FBIF_CTL) & FALCON_FBIF_CTL_ALLOW_PHYS)) {
		model_refuse(m, f->name,
			     "DMA by virtual address, with no context bound");
		return;
	}
	if (FBIF_TRANSCFG_TARGET(config) != FBIF_TARGET_LOCAL_FB) {
		model_dma_read(m, from, memory + at, bytes);
	} else if (model_fb_contains(m, from, bytes)) {
		memcpy(memory + at, m->fb + from, bytes);
	} else {
		model_refuse(m, f->name, "DMA from beyond VRAM: %" PRIx64, from);
		return;
	}
	if (!imem)
		return;
	/* The code's own addresses are its offsets in what it was loaded from. */
	f->imem_tag[at / FALCON_BLOCK] =
		*reg(f, FALCON_DMATRFFBOFFS) / FALCON_BLOCK;
	if (at == f->imem_used)
		f->imem_used = at + bytes;
}

static void start(struct falcon *f)
{
	uint32_t entry = *reg(f, FALCON_BOOTVEC) / FALCON_BLOCK;
	unsigned int i;

	if (f->running) {
		model_refuse(f->model, f->name, "started while it runs");
		return;
	}
	if (*reg(f, RISCV_BCR_CTRL) & RISCV_BCR_CORE_RISCV) {
		model_refuse(f->model, f->name,
			     "falcon started while RISC-V is selected");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(f->imem_tag) && f->imem_tag[i] != entry; i++)
		;
	if (i == ARRAY_SIZE(f->imem_tag)) {
		model_refuse(f->model, f->name,
			     "started at %x, where no code is loaded",
			     *reg(f, FALCON_BOOTVEC));
		return;
	}
	f->running = true;
	f->halted = false;
	timer_mod(f->done, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + CODE_RUNS_NS);
}

uint32_t model_falcon_read(struct falcon *f, uint32_t offset)
{
	offset &= ~3u;
	switch (offset) {
	case FALCON_IRQSCLR:
	case FALCON_IRQMSET:
	case FALCON_IRQMCLR:
	case FALCON_CPUCTL_ALIAS:
		return 0;
	case FALCON_IRQSTAT:
		return f->irqstat;
	case FALCON_HWCFG2: /* memory is scrubbed at once */
		return FALCON_HWCFG2_RISCV | FALCON_HWCFG2_RESET_READY;
	case FALCON_CPUCTL:
		return f->halted ? FALCON_CPUCTL_HALTED : 0;
	case FALCON_HWCFG: /* IMEM in 8:0, DMEM in 17:9, in blocks */
		return FALCON_IMEM_SIZE / FALCON_BLOCK |
		       FALCON_DMEM_SIZE / FALCON_BLOCK << 9;
	case FALCON_HWCFG1: /* core 6, heavy secure, one port each */
		return 6 | 3 << 4 | 1 << 8 | 1 << 12;
	case FALCON_DMATRFCMD:
		return FALCON_DMATRFCMD_IDLE;
	case RISCV_CPUCTL:
		return f->riscv_active ? RISCV_CPUCTL_ACTIVE
				       : RISCV_CPUCTL_HALTED;
	case RISCV_IRQMASK:
		return f->riscv_irqmask;
	}
	return *reg(f, offset);
}

static bool is_kept(uint32_t offset)
{
	switch (offset) {
	case FALCON_IRQMASK:
	case FALCON_IRQDEST:
	case FALCON_MAILBOX0:
	case FALCON_MAILBOX1:
	case FALCON_ITFEN:
	case FALCON_OS:
	case FALCON_RM:
	case FALCON_DEBUGINFO:
	case FALCON_BOOTVEC:
	case FALCON_DMACTL:
	case FALCON_DMATRFBASE:
	case FALCON_DMATRFMOFFS:
	case FALCON_DMATRFFBOFFS:
	case FALCON_DMATRFBASE1:
	case FALCON_FBIF_CTL:
	case FALCON2_MOD_SEL:
	case FALCON2_BROM_UCODE_ID:
	case FALCON2_BROM_ENGIDMASK:
	case FALCON2_BROM_PARAADDR:
	case RISCV_IRQDEST:
	case FALCON_FBIF_TRANSCFG ... FALCON_FBIF_TRANSCFG +
		FALCON_FBIF_TRANSCFG_COUNT * 4 - 4:
	case FALCON_MAILBOX ... FALCON_MAILBOX + 12:
		return true;
	}
	return false;
}

void model_falcon_write(struct falcon *f, uint32_t offset, uint32_t value)
{
	GpuModel *m = f->model;

	offset &= ~3u;
	switch (offset) {
	case FALCON_IRQSCLR:
		f->irqstat &= ~value;
		return;
	case FALCON_IRQMSET:
		*reg(f, FALCON_IRQMASK) |= value;
		return;
	case FALCON_IRQMCLR:
		*reg(f, FALCON_IRQMASK) &= ~value;
		return;
	case FALCON_CPUCTL:
	case FALCON_CPUCTL_ALIAS:
		if (value & FALCON_CPUCTL_STARTCPU)
			start(f);
		return;
	case FALCON_DMATRFCMD:
		transfer(f, value);
		return;
	case FALCON_ENGINE:
		if ((value & FALCON_ENGINE_RESET) &&
		    !(*reg(f, offset) & FALCON_ENGINE_RESET))
			model_falcon_reset(f);
		*reg(f, offset) = value & FALCON_ENGINE_RESET;
		return;
	case FALCON_INTR_RETRIGGER:
		if (f->irqstat & f->riscv_irqmask)
			model_intr_trigger(m, INTR_VECTOR_GSP);
		return;
	case RISCV_BCR_CTRL:
		*reg(f, offset) =
			(value & (RISCV_BCR_CORE_RISCV | RISCV_BCR_BRFETCH)) |
			RISCV_BCR_VALID;
		return;
	case FALCON_QUEUE_HEAD ... FALCON_QUEUE_HEAD + FALCON_QUEUE_COUNT * 8 - 4:
		*reg(f, offset) = value;
		if (f == &m->gsp && offset == FALCON_QUEUE_HEAD)
			model_gsp_doorbell(m);
		return;
	}
	if (is_kept(offset))
		*reg(f, offset) = value;
	else
		model_unmodelled(m, 0, true, f->base + offset, value);
}
