// SPDX-License-Identifier: GPL-2.0-or-later
/* BAR0: which part of the GPU answers at which register. */
#include "model/model.h"
#include "model/host.h"
#include "model/vgpu.h"

/* The timer counts in steps of 32 ns, from what a driver set. */
uint64_t model_time_ns(const GpuModel *m)
{
	return ((uint64_t)qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + m->time_offset) &
	       ~31ull;
}

static void set_time(GpuModel *m, uint64_t ns)
{
	m->time_offset = ns - (uint64_t)qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static uint32_t read_vf_page(GpuModel *m, uint32_t offset)
{
	switch (offset) {
	case VF_DOORBELL: /* read back to push a write out */
		return 0;
	case VF_TIMER:
	case VF_USER_TIME_0:
		return (uint32_t)model_time_ns(m);
	case VF_USER_TIME_1:
		return model_time_ns(m) >> 32;
	case VF_MMU_INVALIDATE_PDB ... VF_MMU_INVALIDATE - 1:
		return m->mmu_invalidate[(offset - VF_MMU_INVALIDATE_PDB) / 4];
	case VF_MMU_INVALIDATE:
		/* There is nothing cached: an invalidation is done at once. */
		return m->mmu_invalidate[4] & ~VF_MMU_INVALIDATE_TRIGGER;
	case VF_MMU_FAULT_BUFFER ... VF_MMU_FAULT_BUFFER_END - 1:
		return m->fault_buffer[(offset - VF_MMU_FAULT_BUFFER) / 4];
	case VF_INTR_LEAF ... VF_INTR_LEAF_TRIGGER:
		return model_intr_tree_read(&m->intr, offset);
	}
	model_unmodelled(m, 0, false, VF_PRIV_BASE + offset, 0);
	return 0;
}

static void write_vf_page(GpuModel *m, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VF_DOORBELL:
		model_vgpu_doorbell(m, value);
		return;
	case VF_USER_DOORBELL:
		model_channel_doorbell(m, value);
		return;
	case VF_MMU_INVALIDATE_PDB ... VF_MMU_INVALIDATE:
		m->mmu_invalidate[(offset - VF_MMU_INVALIDATE_PDB) / 4] = value;
		return;
	case VF_MMU_FAULT_BUFFER ... VF_MMU_FAULT_BUFFER_END - 1:
		m->fault_buffer[(offset - VF_MMU_FAULT_BUFFER) / 4] = value;
		return;
	case VF_INTR_LEAF_TRIGGER:
		model_intr_trigger(m, BIT_RANGE(value, 11, 0));
		return;
	case VF_INTR_LEAF ... VF_INTR_LEAF_TRIGGER - 4:
		if (!model_intr_tree_write(&m->intr, offset, value))
			break;
		model_intr_update(m);
		return;
	}
	model_unmodelled(m, 0, true, VF_PRIV_BASE + offset, value);
}

static uint32_t read_xve(GpuModel *m, uint32_t offset)
{
	if (offset == XVE_ROM_CTRL)
		return m->rom_ctrl;
	if (offset + 4 > pci_config_size(&m->pci))
		return 0;
	return pci_default_read_config(&m->pci, offset, 4);
}

static bool within(uint32_t reg, uint32_t base, uint32_t size)
{
	return reg >= base && reg - base < size;
}

static uint32_t read_fuse(GpuModel *m, uint32_t reg)
{
	if (within(reg, FUSE_UCODE_GSP, FUSE_UCODE_COUNT * 4)) {
		unsigned int id = (reg - FUSE_UCODE_GSP) / 4 + 1;

		return id == VBIOS_FWSEC_UCODE_ID
			       ? 1u << (VBIOS_FWSEC_FUSE_VERSION - 1)
			       : 0;
	}
	return 0;
}

static uint64_t bar0_read(void *opaque, hwaddr addr, unsigned int bytes)
{
	GpuModel *m = opaque;
	uint32_t reg = addr;

	if (m->fault.kind == FAULT_BUS_LOST)
		return 0xffffffff;
	if (within(reg, PGSP_BASE, FALCON_SIZE))
		return model_falcon_read(&m->gsp, reg - PGSP_BASE);
	if (within(reg, PSEC_BASE, FALCON_SIZE))
		return model_falcon_read(&m->sec2, reg - PSEC_BASE);
	if (within(reg, VF_PRIV_BASE, VF_PRIV_SIZE))
		return read_vf_page(m, reg - VF_PRIV_BASE);
	if (within(reg, PRAMIN_BASE, PRAMIN_SIZE))
		return model_fb_read(m,
				     PBUS_BAR0_WINDOW_BASE(m->bar0_window) +
					     reg - PRAMIN_BASE,
				     4);
	if (within(reg, PROM_BASE, PROM_SIZE))
		return reg - PROM_BASE + 4 <= m->vbios_size
			       ? get32(m->vbios + reg - PROM_BASE)
			       : 0xffffffff;
	if (within(reg, XVE_BASE, XVE_SIZE))
		return read_xve(m, reg - XVE_BASE);
	if (within(reg, PBUS_SW_SCRATCH, PBUS_SW_SCRATCH_COUNT * 4))
		return m->scratch[(reg - PBUS_SW_SCRATCH) / 4];
	if (within(reg, FUSE_UCODE_NVDEC,
		   FUSE_UCODE_GSP + FUSE_UCODE_COUNT * 4 - FUSE_UCODE_NVDEC))
		return read_fuse(m, reg);

	switch (reg) {
	case PMC_BOOT_0:
		return PMC_BOOT_0_AD102;
	case PMC_BOOT_1: /* not a VF; the CPU's byte order */
		return 0;
	case PMC_BOOT_42:
		return PMC_BOOT_42_AD102;
	case PMC_ENABLE:
		return m->pmc_enable;
	case PMC_DEVICE_ENABLE:
		return m->device_enable;
	case PBUS_BAR0_WINDOW:
		return m->bar0_window;
	case PTIMER_TIME_0:
		return (uint32_t)model_time_ns(m);
	case PTIMER_TIME_1:
		return model_time_ns(m) >> 32;
	case PTIMER_INTR_EN:
		return m->timer_intr_en;
	case PFB_FLUSH_SYSMEM_ADDR:
		return m->flush_sysmem;
	case PFLUSH_SYSMEMBAR: /* nothing is ever under way */
		return 0;
	case PSTRAPS_BOOT_0:
		return PSTRAPS_CRYSTAL_27MHZ;
	case FUSE_DISPLAY:
		return m->display ? 0 : FUSE_DISPLAY_DISABLED;
	case PFB_MMU_LOCK_PLM: /* nothing locked beside WPR */
		return 0;
	case PFB_MMU_WPR2_ADDR_LO:
		return m->wpr2_lo;
	case PFB_MMU_WPR2_ADDR_HI:
		return m->wpr2_hi;
	case PGC6_SECURE_SCRATCH_14:
		return m->gsp_booted ? PGC6_SECURE_SCRATCH_14_HANDOFF : 0;
	case PGC6_SECURE_SCRATCH_15:
		return m->scrubbed ? PGC6_SCRUBBER_HANDOFF_DONE : 0;
	case PGC6_GROUP_05_PLM:
		return PGC6_GROUP_05_PLM_READ_LEVEL0;
	case PGC6_GROUP_05_0:
		return PGC6_GFW_BOOT_COMPLETED;
	case PGC6_USABLE_FB_SIZE_MIB:
		return m->fb_size / MiB;
	}
	model_unmodelled(m, 0, false, reg, 0);
	return 0;
}

static void bar0_write(void *opaque, hwaddr addr, uint64_t value,
		       unsigned int bytes)
{
	GpuModel *m = opaque;
	uint32_t reg = addr;

	if (m->fault.kind == FAULT_BUS_LOST)
		return;
	if (within(reg, PGSP_BASE, FALCON_SIZE)) {
		model_falcon_write(&m->gsp, reg - PGSP_BASE, value);
		return;
	}
	if (within(reg, PSEC_BASE, FALCON_SIZE)) {
		model_falcon_write(&m->sec2, reg - PSEC_BASE, value);
		return;
	}
	if (within(reg, VF_PRIV_BASE, VF_PRIV_SIZE)) {
		write_vf_page(m, reg - VF_PRIV_BASE, value);
		return;
	}
	if (within(reg, PRAMIN_BASE, PRAMIN_SIZE)) {
		model_fb_write(m,
			       PBUS_BAR0_WINDOW_BASE(m->bar0_window) + reg -
				       PRAMIN_BASE,
			       value, 4);
		return;
	}
	if (within(reg, PBUS_SW_SCRATCH, PBUS_SW_SCRATCH_COUNT * 4)) {
		m->scratch[(reg - PBUS_SW_SCRATCH) / 4] = value;
		return;
	}
	switch (reg) {
	case PMC_ENABLE:
		m->pmc_enable = value;
		return;
	case PMC_DEVICE_ENABLE:
		m->device_enable = value;
		return;
	case PBUS_BAR0_WINDOW:
		m->bar0_window = value;
		return;
	case PFLUSH_SYSMEMBAR:
		return;
	case PTIMER_INTR_EN:
		m->timer_intr_en = value;
		return;
	case PTIMER_TIME_0:
		set_time(m,
			 (model_time_ns(m) & ~0xffffffffull) | (uint32_t)value);
		return;
	case PTIMER_TIME_1:
		set_time(m, (uint64_t)value << 32 | (uint32_t)model_time_ns(m));
		return;
	case PFB_FLUSH_SYSMEM_ADDR:
		m->flush_sysmem = value;
		return;
	case XVE_BASE + XVE_ROM_CTRL:
		m->rom_ctrl = value;
		return;
	case XVE_BASE + XVE_MSI_REARM:
		model_intr_rearm(m);
		return;
	}
	model_unmodelled(m, 0, true, reg, value);
}

static const MemoryRegionOps bar0_ops = {
	.read = bar0_read,
	.write = bar0_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8},
	.impl = {.min_access_size = 4, .max_access_size = 4},
};

#define BAR0_SIZE (16 * MiB)

void model_bar0_init(GpuModel *m)
{
	memory_region_init(&m->bar0, OBJECT(m), "ad102-bar0", BAR0_SIZE);
	memory_region_init_io(&m->bar0_regs, OBJECT(m), &bar0_ops, m,
			      "ad102-regs", BAR0_SIZE);
	memory_region_add_subregion(&m->bar0, 0, &m->bar0_regs);
}

/* What a function level reset, or the machine's, leaves: VRAM stays. */
void model_reset(GpuModel *m)
{
	/* What a suspend saved is in the machine's memory, not in the GPU. */
	if (!m->suspend.saved)
		model_gsp_stop(m);
	model_falcon_reset(&m->gsp);
	model_falcon_reset(&m->sec2);
	memset(m->scratch, 0, sizeof(m->scratch));
	m->bar0_window = 0;
	m->pmc_enable = m->device_enable = 0xffffffff;
	m->time_offset = 0;
	m->timer_intr_en = m->flush_sysmem = 0;
	m->rom_ctrl = 1; /* the ROM is shadowed */
	m->wpr2_lo = m->wpr2_hi = 0;
	m->wpr_start = m->wpr_end = 0;
	m->gsp_booted = m->scrubbed = false;
	m->bar1_pdb = m->bar2_pdb = 0;
	memset(&m->intr, 0, sizeof(m->intr));
	memset(m->mmu_invalidate, 0, sizeof(m->mmu_invalidate));
	memset(m->fault_buffer, 0, sizeof(m->fault_buffer));
}
