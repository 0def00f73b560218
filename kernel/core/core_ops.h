/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the vGPU manager needs of the driver of the physical function (PF). */
#ifndef VGPU_KERNEL_CORE_CORE_OPS_H
#define VGPU_KERNEL_CORE_CORE_OPS_H

#include <linux/list.h>
#include <linux/mutex.h>

#include "kernel/core/abi/abi.h"
#include "kernel/core/pure/chid.h"
#include "kernel/core/pure/fb.h"

struct dentry;
struct kobject;
struct module;
struct pci_dev;
struct vgpu_mgr;
struct vgpu_pf;

/* A part of the framebuffer that the CPU can access through BAR1. */
struct vgpu_fb_window {
	void __iomem *memory;
	u64 bar1_offset;
	u64 bytes;
};

/* Our own event, beside the firmware's: the GSP is wedged. Sent once, no payload. */
#define VGPU_EVENT_WEDGED 0

/*
 * handle() runs in a thread of whoever has received the event, and cannot call
 * the GSP: it queues work for that. It must not (un)subscribe either. @payload
 * comes from the firmware: check it; it is invalid afterwards.
 */
struct vgpu_event_subscriber {
	u32 event; /* enum vgpu_rpc_function */
	void (*handle)(struct vgpu_event_subscriber *subscriber,
		       const u8 *payload, u32 bytes);
	struct list_head link; /* in the driver's list of subscribers */
};

/*
 * All are required and may sleep, unless their comment says otherwise. Errors
 * are negative errno values. The firmware has 5 s to answer a control; then it
 * is wedged. Several may wait for one of theirs at the same time.
 */
struct vgpu_core_ops {
	/* The driver's: it is not unloaded while a vGPU is open. */
	struct module *owner;

	/*
	 * Send a control of the driver's own subdevice to the firmware's resource
	 * manager; the answer replaces @params. -ENODEV: the firmware is not up.
	 */
	int (*control)(struct vgpu_pf *pf, u32 command, void *params, u32 bytes);
	/*
	 * Send an internal control, of the firmware's own subdevice.
	 * -EREMOTEIO: the firmware refused, and has done nothing; -ENODEV: it
	 * is not up; -ENOMEM. After any other error it may have done it.
	 */
	int (*control_internal)(struct vgpu_pf *pf, u32 command, void *params,
				u32 bytes);

	/*
	 * Map a part of the framebuffer for the CPU, uncached. Both numbers are
	 * multiples of VGPU_BAR1_PAGE_BYTES. -EEXIST: part of it is mapped;
	 * -ENOSPC: BAR1 has no room; -EINVAL; -ENODEV: the GPU did not boot;
	 * -ENOMEM. The mapping stays in place across resets of the GPU, and
	 * shows nothing during one.
	 */
	int (*map_fb)(struct vgpu_pf *pf, u64 fb_offset, u64 bytes,
		      struct vgpu_fb_window *ret_window);
	void (*unmap_fb)(struct vgpu_pf *pf, struct vgpu_fb_window *window);

	/*
	 * Fill a part of the framebuffer, whole pages of 4 KiB, with zeros.
	 * -ETIMEDOUT: it took more than 4 s and 1 s for each GiB; -EIO: the copy
	 * engine's channel failed; -ENODEV: the GPU is not there, or about to be
	 * reset or unbound. Logged. After any failure quarantine that part.
	 */
	int (*scrub)(struct vgpu_pf *pf, u64 fb_offset, u64 bytes);

	/*
	 * Copy a part of the framebuffer to @data, or from it where @is_to_fb, by a
	 * copy engine. Errors are those of scrub(); then it may be done in part.
	 */
	int (*copy)(struct vgpu_pf *pf, u64 fb_offset, void *data, u32 bytes,
		    bool is_to_fb);

	/*
	 * Keep the GPU in use for one vGPU: it does not sleep meanwhile, and is
	 * reset only once all users are gone. -ENODEV: it is wedged, asleep, or
	 * being unbound.
	 */
	int (*get_use)(struct vgpu_pf *pf);
	void (*put_use)(struct vgpu_pf *pf);

	/* Have @subscriber called for each event of its number. */
	void (*subscribe)(struct vgpu_pf *pf,
			  struct vgpu_event_subscriber *subscriber);
	/* When it returns, @subscriber is not being called, nor will be. */
	void (*unsubscribe)(struct vgpu_pf *pf,
			    struct vgpu_event_subscriber *subscriber);

	/* Write @value to the doorbell by which tasks of vGPUs are notified. */
	void (*ring_doorbell)(struct vgpu_pf *pf, u32 value);

	/*
	 * Why the firmware is out of order until the next reset, a static text;
	 * NULL: it is not. Any context.
	 */
	const char *(*why_wedged)(struct vgpu_pf *pf);
	/* Declare it so, for a reason (a static text); a reset follows. */
	void (*wedge)(struct vgpu_pf *pf, const char *why);
	/* Whether the device still answers on the bus. Any context. */
	bool (*is_present)(struct vgpu_pf *pf);
};

/*
 * A physical function, embedded by its driver in its own structure. The driver
 * sets everything but @mgr before vgpu_mgr_create() (vgpu_pf_set_info() and
 * vgpu_pf_add_dir() do some of it), and @engines and @is_ecc_on again before
 * each vgpu_mgr_start().
 */
struct vgpu_pf {
	const struct vgpu_core_ops *ops;
	struct pci_dev *pdev;
	const struct vgpu_abi *abi; /* of the firmware's version */
	u32 vf_total;		    /* as the firmware counts; 0: no vGPUs */
	struct vgpu_engine_set engines; /* bits: the RM's engine types */
	bool is_ecc_on;
	struct kobject *dir;	/* vgpu/ in the PF's folder in sysfs, or NULL */
	struct dentry *debugfs; /* the PF's folder in debugfs */

	struct mutex *allocators_lock; /* protects the next two */
	struct vgpu_fb *fb;	       /* in units of VMMU segments */
	struct vgpu_chids *chids;
	/*
	 * The driver itself has the framebuffer below it, in whole units:
	 * places of vGPUs that reach there are not to be had. 0: it has none.
	 */
	u64 fb_host_end;

	/* Shown in sysfs. */
	const char *chip;
	char name[VGPU_GPU_NAME_BYTES]; /* the board's */
	u64 fb_bytes;
	u64 fb_reserved_bytes; /* the firmware's */
	u64 fb_host_bytes;     /* kept for the host */

	struct vgpu_mgr *mgr; /* the manager's; NULL: there is none */
};

static inline bool vgpu_pf_is_wedged(struct vgpu_pf *pf)
{
	return pf->ops->why_wedged(pf);
}

#endif
