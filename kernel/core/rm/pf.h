/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the drivers of PFs have in common: what they ask the firmware, and keep. */
#ifndef VGPU_KERNEL_CORE_RM_PF_H
#define VGPU_KERNEL_CORE_RM_PF_H

#include "kernel/core/abi/abi.h"
#include "kernel/core/pure/fb.h"

struct pci_dev;

/* What vGPUs need to know of the GPU, as its firmware says. */
struct vgpu_properties {
	u64 vmmu_segment_bytes; /* a power of two */
	bool is_ecc_on;
	struct vgpu_engine_set engines; /* bits: engine types of the RM's */
};

/* Controls of a driver's own subdevice, as control() of struct vgpu_core_ops. */
struct vgpu_pf_caller {
	struct pci_dev *pdev;
	const struct vgpu_abi *abi;
	int (*control)(void *owner, u32 command, void *params, u32 bytes);
	void *owner;
};

/* Ask the firmware. -EBADMSG: it answered what cannot be; -ENOMEM; control()'s. */
int vgpu_pf_read_properties(const struct vgpu_pf_caller *caller,
			    struct vgpu_properties *ret_properties);
/* Whether the framebuffer's ECC is on. */
int vgpu_pf_read_ecc(const struct vgpu_pf_caller *caller, bool *ret_is_on);

/*
 * An allocator of the framebuffer, in units of VMMU segments, with all that the
 * firmware does not say is usable reserved. After an error there is none.
 */
int vgpu_pf_make_fb(struct vgpu_fb *fb, const struct vgpu_static_info *info,
		    u64 segment_bytes);
/* One that is zeroed, too. */
void vgpu_pf_drop_fb(struct vgpu_fb *fb);

#endif
