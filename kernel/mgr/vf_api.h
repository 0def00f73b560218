/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the driver of a VF may ask of the vGPU manager of its PF. */
#ifndef VGPU_KERNEL_MGR_VF_API_H
#define VGPU_KERNEL_MGR_VF_API_H

#include <linux/pci.h>

/*
 * A VF is given a type before anybody opens it
 * (docs/dev/abi/sysfs-vgpu-manager). Opening it makes its vGPU in the firmware,
 * with framebuffer and channels that only it uses; closing takes all of that
 * back. Nothing of the firmware's and nothing of the PF's is seen through here.
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
 * An ERR_PTR(): -ENODEV: no manager has the PF (any more), or the GPU
 * is wedged; -ENOENT: it has no type; -EBUSY: it is open; -ENOSPC: something of
 * the GPU's has run out; -ETIMEDOUT: the firmware does not answer;
 * -EREMOTEIO: the firmware refused; -EIO: its call failed, or it crashed; -EINTR:
 * the caller is killed; -ENOMEM. Nothing is left of what failed.
 */
struct vgpu_vf *vgpu_vf_open(struct pci_dev *pdev, struct vgpu_vf_user *user,
			     struct vgpu_vf_config *ret_config);

/*
 * Destroy the vGPU. Always succeeds for the caller; @user is not called any
 * more when it returns. Its task is not asked for anything: one that does not
 * answer is not waited for. Framebuffer that could not be scrubbed stays out of
 * use, and so does all that a task has that the firmware does not end, until
 * the GPU is reset, which comes next.
 */
void vgpu_vf_close(struct vgpu_vf *vgpu);

/*
 * The guest's driver starts anew: the vGPU forgets all it was told, and its
 * framebuffer is scrubbed. -ENODEV: the vGPU was lost; others as of opening.
 */
int vgpu_vf_reset(struct vgpu_vf *vgpu);

/*
 * Tell the firmware whether the VF may master the bus. This, a reset and what
 * migrates wait 5 s for an answer. A task that does not give it is not spoken
 * to again (-EIO), and its vGPU is lost.
 */
int vgpu_vf_set_bus_master(struct vgpu_vf *vgpu, bool is_on);

/*
 * Migration. Only one caller at a time; none of it touches the user's memory.
 *
 *	     stop_work		  begin_saving, take_state ...
 *	works --------> stopped ------------------------------> saving
 *	      <--------	  |  ^  <------------------------------
 *	    resume_work	  |  |		   end_saving
 *			  |  +-- end_restoring --+
 *			  +--- begin_restoring, give_state ... restoring
 *
 * A vGPU that is stopped masters the bus no more, interrupts included; what its
 * BARs are told is kept. A reset lets it work again, from wherever it is.
 *
 * -EREMOTEIO: the firmware refused, and the vGPU is what it was, but after
 * end_restoring, which leaves only a reset. Any other error leaves only that:
 * -ETIMEDOUT: no answer; -EIO: the firmware or the task crashed, or the PF's
 * driver is going; -EINTR: the caller is killed; -ENODEV: the vGPU was lost.
 */

/* Whether the firmware of the VF's GPU saves and restores vGPUs at all. */
bool vgpu_vf_can_migrate(struct pci_dev *pdev);

/* What a vGPU must have alike to become the one that another was. */
struct vgpu_vf_identity {
	u32 gpu; /* PCI ids: device << 16 | vendor */
	u32 type;
	u32 channels;
	u64 fb_bytes;
	char firmware[16]; /* its version */
};

/* One whose ring has not moved for so long does not go on by itself. */
#define VGPU_VF_STALL_MS 30000

/* It stays the same until it is closed. -ENODEV: the vGPU was lost. */
int vgpu_vf_get_identity(struct vgpu_vf *vgpu,
			 struct vgpu_vf_identity *ret_identity);

int vgpu_vf_stop_work(struct vgpu_vf *vgpu);
int vgpu_vf_resume_work(struct vgpu_vf *vgpu);

int vgpu_vf_begin_saving(struct vgpu_vf *vgpu);
/*
 * Bytes of its state, as many as there are now: 0 where the firmware has no
 * more yet. -ENODATA: that was all.
 */
ssize_t vgpu_vf_take_state(struct vgpu_vf *vgpu, void *out, size_t bytes);
int vgpu_vf_end_saving(struct vgpu_vf *vgpu);

/* Its framebuffer is scrubbed first. */
int vgpu_vf_begin_restoring(struct vgpu_vf *vgpu);
/* How many bytes were taken: 0 where the firmware has no room yet. */
ssize_t vgpu_vf_give_state(struct vgpu_vf *vgpu, const void *data, size_t bytes);
/* That was all: the firmware says whether it is a state. */
int vgpu_vf_end_restoring(struct vgpu_vf *vgpu);

#endif
