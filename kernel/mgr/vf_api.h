/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the driver of a VF may ask of vgpu_core, which has the PF. */
#ifndef VGPU_KERNEL_MGR_VF_API_H
#define VGPU_KERNEL_MGR_VF_API_H

#include <linux/pci.h>

/*
 * A VF is given a type before anybody opens it (docs/abi/sysfs-vgpu-manager).
 * Opening it makes its vGPU in the firmware, with framebuffer and channels that
 * only it uses; closing takes all of that back. Nothing of the firmware's and
 * nothing of the PF's is seen through here.
 */
struct vgpu_vf;

/* What the guest is shown, as the type says. */
struct vgpu_vf_config {
	u16 device; /* PCI ids; the vendor is the VF's own */
	u16 subsystem;
	u64 bar1_bytes; /* of the VF's BAR1; a power of two, of whole pages */
};

/* Who has opened a VF. */
struct vgpu_vf_user {
	/*
	 * The vGPU is gone before it was closed: the PF's driver is unbound, or
	 * the firmware or the vGPU's task has crashed. Called once at most, in a
	 * thread; it must not call what is below. The VF is still to be closed.
	 */
	void (*lost)(struct vgpu_vf_user *user);
};

/*
 * Make the vGPU of a VF. The VF must be enabled, quiet (reset, its bus mastering
 * off) and bound to the caller's driver, and stays so until it is closed. May
 * sleep for as long as the firmware may take (10 s for its task to start).
 *
 * An ERR_PTR(): -ENODEV: vgpu_core does not have the PF (any more), or the GPU
 * is wedged; -ENOENT: it has no type; -EBUSY: it is open; -ENOSPC: something of
 * the GPU's has run out; -ETIMEDOUT: the firmware does not answer;
 * -EREMOTEIO: the firmware refused; -ENOMEM. Nothing is left of what failed.
 */
struct vgpu_vf *vgpu_vf_open(struct pci_dev *pdev, struct vgpu_vf_user *user,
			     struct vgpu_vf_config *ret_config);

/*
 * Destroy the vGPU. Always succeeds for the caller; @user is not called any more
 * when it returns. Framebuffer that could not be scrubbed stays out of use.
 */
void vgpu_vf_close(struct vgpu_vf *vgpu);

/*
 * The guest's driver starts anew: the vGPU forgets all it was told, and its
 * framebuffer is scrubbed. -ENODEV: the vGPU was lost; others as of opening.
 */
int vgpu_vf_reset(struct vgpu_vf *vgpu);

/* Tell the firmware whether the VF may master the bus. */
int vgpu_vf_set_bus_master(struct vgpu_vf *vgpu, bool is_on);

#endif
