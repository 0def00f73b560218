/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The physical function, as the files of the module share it. */
#ifndef VGPU_KERNEL_CORE_CORE_H
#define VGPU_KERNEL_CORE_CORE_H

#include <linux/io.h>
#include <linux/pci.h>

#include "abi/abi.h"
#include "chip.h"
#include "events.h"
#include "falcon.h"
#include "vbios.h"

struct vgpu_gsp;

/* What vGPUs will need to know of the GPU, as its firmware says. */
struct vgpu_properties {
	u64 vmmu_segment_bytes;
	bool is_ecc_on;
	u32 gsp_features;
	struct vgpu_engine_set engines; /* bits: engine types of the RM's */
};

struct vgpu_core {
	struct pci_dev *pdev;
	void __iomem *registers;
	const struct vgpu_chip *chip;
	const struct vgpu_abi *abi;
	struct vgpu_falcon gsp_falcon;
	struct vgpu_falcon sec2_falcon;

	u8 *rom; /* what fwsec points into */
	struct vgpu_vbios vbios;
	struct vgpu_fwsec fwsec;

	struct vgpu_events events;
	struct vgpu_gsp *gsp;
	struct vgpu_static_info info;	   /* while the GSP runs */
	struct vgpu_properties properties; /* likewise */
};

static inline u32 vgpu_core_read(struct vgpu_core *core, u32 offset)
{
	return ioread32(core->registers + offset);
}

static inline void vgpu_core_write(struct vgpu_core *core, u32 offset, u32 value)
{
	iowrite32(value, core->registers + offset);
}

/* rom.c: read the VBIOS and find FWSEC in it. */
int vgpu_core_read_vbios(struct vgpu_core *core);
void vgpu_core_drop_vbios(struct vgpu_core *core);

/* vf.c: what the GSP has to know of the VFs; all 0 where there are none. */
void vgpu_core_get_vf_info(struct vgpu_core *core, struct vgpu_vf_info *ret_vfs);

/* gsp.c: boot the GSP's firmware, and unload it. */
int vgpu_gsp_start(struct vgpu_core *core);
void vgpu_gsp_stop(struct vgpu_core *core);

#endif
