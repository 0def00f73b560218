// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BAR0 of a VF: what NVIDIA calls NV_VIRTUAL_FUNCTION_PRIV and _FUNCTION, from
 * 0, with the names of the chip where a PF has them too. OGK
 * turing/tu102/dev_vm.h, ampere/ga102/dev_vm.h; nv_ref.h for PMC_BOOT_1; the
 * doorbells of a guest: src/nvidia/interface/nv_sriov_defines.h (tag 570.144).
 */
#include "model/vf.h"

#define PMC_BOOT_1_VGPU_VF (2u << 16)

/* The tree has one message of its own, as the PF's. */
#define VF_TREE_VECTOR 0

static void update_tree(ModelVf *vf)
{
	if (model_intr_tree_rises(&vf->state.intr))
		model_vf_test_raise(vf, VF_TREE_VECTOR);
}

void model_vf_regs_resume(ModelVf *vf)
{
	uint32_t held = vf->state.held;
	unsigned int i;

	vf->state.held = 0;
	for (i = 0; i < VF_MSIX_VECTORS; i++)
		if (held & 1u << i)
			model_vf_test_raise(vf, i);
	update_tree(vf);
}

uint32_t model_vf_regs_read(ModelVf *vf, uint32_t reg)
{
	struct vf_state *s = &vf->state;

	if (vf->m->fault.kind == FAULT_BUS_LOST)
		return UINT32_MAX;
	if (reg >= VF_TEST_BASE && reg - VF_TEST_BASE < VF_TEST_SIZE)
		return model_vf_test_read(vf, reg - VF_TEST_BASE);
	switch (reg) {
	case PMC_BOOT_0:
		return PMC_BOOT_0_AD102;
	case PMC_BOOT_1:
		return PMC_BOOT_1_VGPU_VF;
	case PMC_BOOT_42:
		return PMC_BOOT_42_AD102;
	case VF_BAR1_BLOCK:
		return s->bar_block[0];
	case VF_BAR2_BLOCK:
		return s->bar_block[1];
	case VF_BIND_STATUS: /* nothing is ever under way */
	case VF_DOORBELL:
	case VF_USER_DOORBELL:
		return 0;
	case VF_TIMER:
	case VF_USER_TIME_0:
		return (uint32_t)model_time_ns(vf->m);
	case VF_USER_TIME_1:
		return model_time_ns(vf->m) >> 32;
	case VF_SCRATCH ... VF_SCRATCH + VF_SCRATCH_COUNT * 4 - 1:
		return s->scratch[(reg - VF_SCRATCH) / 4];
	case VF_MMU_INVALIDATE_PDB ... VF_MMU_INVALIDATE - 1:
		return s->mmu_invalidate[(reg - VF_MMU_INVALIDATE_PDB) / 4];
	case VF_MMU_INVALIDATE:
		return s->mmu_invalidate[4] & ~VF_MMU_INVALIDATE_TRIGGER;
	case VF_MMU_FAULT_BUFFER ... VF_MMU_FAULT_BUFFER_END - 1:
		return s->fault_buffer[(reg - VF_MMU_FAULT_BUFFER) / 4];
	case VF_INTR_LEAF ... VF_INTR_LEAF_TRIGGER:
		return model_intr_tree_read(&s->intr, reg);
	}
	model_unmodelled(vf->m, vf->gfid, false, reg, 0);
	return 0;
}

void model_vf_regs_write(ModelVf *vf, uint32_t reg, uint32_t value)
{
	struct vf_state *s = &vf->state;

	if (vf->m->fault.kind == FAULT_BUS_LOST)
		return;
	if (reg >= VF_TEST_BASE && reg - VF_TEST_BASE < VF_TEST_SIZE) {
		model_vf_test_write(vf, reg - VF_TEST_BASE, value);
		return;
	}
	switch (reg) {
	case VF_USER_DOORBELL:
		model_vf_test_doorbell(vf, value);
		return;
	case VF_BAR1_BLOCK:
		s->bar_block[0] = value;
		return;
	case VF_BAR2_BLOCK:
		s->bar_block[1] = value;
		return;
	case VF_SCRATCH ... VF_SCRATCH + VF_SCRATCH_COUNT * 4 - 1:
		s->scratch[(reg - VF_SCRATCH) / 4] = value;
		return;
	case VF_MMU_INVALIDATE_PDB ... VF_MMU_INVALIDATE:
		s->mmu_invalidate[(reg - VF_MMU_INVALIDATE_PDB) / 4] = value;
		return;
	case VF_MMU_FAULT_BUFFER ... VF_MMU_FAULT_BUFFER_END - 1:
		s->fault_buffer[(reg - VF_MMU_FAULT_BUFFER) / 4] = value;
		return;
	case VF_INTR_LEAF ... VF_INTR_LEAF_TRIGGER:
		if (!model_intr_tree_write(&s->intr, reg, value))
			break;
		update_tree(vf);
		return;
	}
	/* VF_DOORBELL too: a guest's calls of its task are not modelled. */
	model_unmodelled(vf->m, vf->gfid, true, reg, value);
}

static uint64_t regs_read(void *opaque, hwaddr addr, unsigned int bytes)
{
	return model_vf_regs_read(opaque, addr);
}

static void regs_write(void *opaque, hwaddr addr, uint64_t value,
		       unsigned int bytes)
{
	model_vf_regs_write(opaque, addr, value);
}

static const MemoryRegionOps regs_ops = {
	.read = regs_read,
	.write = regs_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8},
	.impl = {.min_access_size = 4, .max_access_size = 4},
};

void model_vf_regs_init(ModelVf *vf)
{
	memory_region_init_io(&vf->bar0_regs, OBJECT(vf), &regs_ops, vf,
			      "ad102-vf-regs", VF_BAR0_BYTES);
	memory_region_add_subregion(&vf->bar0, 0, &vf->bar0_regs);
}
