/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VF: its PCI function, its registers, its window on the vGPU's framebuffer. */
#ifndef VGPU_MODEL_VF_H
#define VGPU_MODEL_VF_H

#include "model/model.h"

#define VF_MSIX_VECTORS	 6 /* MSIX_TABLE__SIZE_1, OGK turing/tu102/dev_vm.h */
#define VF_SCRATCH_COUNT 16

OBJECT_DECLARE_SIMPLE_TYPE(ModelVf, MODEL_AD102_VF)

/* What the test service was told to move; see docs/dev/model.md. */
struct vf_dma {
	uint64_t addr, fb;
	uint32_t bytes, status;
};

struct ModelVf {
	PCIDevice pci;
	GpuModel *m;
	uint32_t gfid;
	MemoryRegion bar0, bar0_regs, bar1, bar1_closed, bar3;
	MemoryRegion *bar1_window; /* one for each VMMU segment that it can show */
	unsigned int bar1_windows;
	uint64_t bar1_refused;

	/* All that a function level reset takes. */
	struct vf_state {
		struct intr_tree intr;
		uint32_t scratch[VF_SCRATCH_COUNT];
		uint32_t mmu_invalidate[5];
		uint32_t fault_buffer[(VF_MMU_FAULT_BUFFER_END - VF_MMU_FAULT_BUFFER) /
				      4];
		uint32_t bar_block[2];
		uint32_t doorbells, token, interrupts;
		uint32_t held; /* vectors that may not be raised yet */
		struct vf_dma dma;
	} state;
};

/* vf.c: where nothing answers; it reads as ones, and takes no writes. */
extern const MemoryRegionOps model_nothing_ops;
/* NULL where that VF is not enabled. */
ModelVf *model_vf_of(GpuModel *m, uint32_t gfid);
/* After each write of the PF's configuration space. */
void model_vf_enable_memory(GpuModel *m);
/* The task of a VF has come or gone, or its segments have changed. */
void model_vf_show(GpuModel *m, uint32_t gfid);
/* Whether it may reach memory now, interrupts included: also the firmware says. */
bool model_vf_may_master(ModelVf *vf);

/* vf_regs.c */
void model_vf_regs_init(ModelVf *vf);
uint32_t model_vf_regs_read(ModelVf *vf, uint32_t reg);
void model_vf_regs_write(ModelVf *vf, uint32_t reg, uint32_t value);
/* It may master the bus again: what was held back goes out. */
void model_vf_regs_resume(ModelVf *vf);

/* vf_test.c: the model's own service for tests in a guest. */
#define VF_TEST_BASE 0x2f000
#define VF_TEST_SIZE 0x001000
uint32_t model_vf_test_read(ModelVf *vf, uint32_t offset);
void model_vf_test_write(ModelVf *vf, uint32_t offset, uint32_t value);
void model_vf_test_doorbell(ModelVf *vf, uint32_t token);
void model_vf_test_raise(ModelVf *vf, unsigned int vector);

#endif
