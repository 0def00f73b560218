/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The physical function, as the files of the module share it. */
#ifndef VGPU_KERNEL_CORE_CORE_H
#define VGPU_KERNEL_CORE_CORE_H

#include <linux/io.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "kernel/core/abi/abi.h"
#include "kernel/core/pure/attempts.h"
#include "kernel/core/pure/chip.h"
#include "kernel/core/rm/events.h"
#include "kernel/core/hw/falcon.h"
#include "resources.h"
#include "kernel/core/pure/vbios.h"

#define VGPU_GSP_LOGS 3
#define VGPU_BAR1     1 /* PCI's number of it */

struct vgpu_dir;
struct vgpu_gsp;
struct vgpu_mgr;
struct vgpu_scrubber;

/* debug.c: a file that shows one of the firmware's logs. */
struct vgpu_log_file {
	struct vgpu_core *core;
	int index;
	bool is_kept; /* of when it was last wedged */
};

/* What vGPUs will need to know of the GPU, as its firmware says. */
struct vgpu_properties {
	u64 vmmu_segment_bytes;
	bool is_ecc_on;
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
	/*
	 * Protects the next two: taken for reading by who calls the GSP, for
	 * writing by who boots or unloads it. Before gsp->lock.
	 */
	struct rw_semaphore gsp_lock;
	struct vgpu_gsp *gsp;	  /* NULL where it did not boot */
	struct vgpu_gsp *sleeper; /* while the machine sleeps, of nobody else's */
	void *kept_logs[VGPU_GSP_LOGS];

	struct vgpu_resources resources;
	u64 host_bytes;		/* of the framebuffer, which no vGPU gets */
	struct mutex vram_lock; /* protects vram.c's registers; the innermost */

	struct vgpu_scrubber *scrubber;

	struct delayed_work recovery;
	struct vgpu_attempts recoveries; /* recovery's own; the next too */
	u32 failed_boots;		 /* one after the other */

	struct vgpu_mgr *mgr; /* of the vGPUs; NULL where there are none */
	struct vgpu_dir *dir; /* in sysfs */
	u32 fail_step;	      /* debugfs: of making a vGPU; 0: none */
	u32 slow_step;	      /* likewise */
	struct dentry *debugfs;
	int is_used_by_debug;
	struct vgpu_log_file log_files[2 * VGPU_GSP_LOGS];
	struct vgpu_static_info info;	   /* while the GSP runs */
	struct vgpu_properties properties; /* likewise */
	const char *why_wedged; /* a text for good, or NULL: it is not */
	u32 boot_driver_ms;
	u32 boot_firmware_ms;
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

/* vf.c: have @count VFs; returns how many there are, as .sriov_configure does. */
int vgpu_core_set_vfs(struct pci_dev *pdev, int count);

/* sysfs.c: the folder vgpu/ of the PF. */
int vgpu_core_add_files(struct vgpu_core *core);
void vgpu_core_remove_files(struct vgpu_core *core);

/*
 * scrub.c: fill a part of the framebuffer, whole pages of 4 KiB, with zeros.
 * gsp_lock must not be held. -ETIMEDOUT: it took more than 4 s and 1 s for each
 * GiB; -EIO: the channel was at fault; -ENODEV: the GPU is not there, or about
 * to be reset or let go; others: there is no channel. After any failure the
 * part is to be quarantined. The log says it too.
 */
int vgpu_core_scrub(struct vgpu_core *core, u64 fb_offset, u64 bytes);

/* main.c: wait until the GPU has booted itself; and boot its GSP then. */
int vgpu_core_wait_gfw_boot(struct vgpu_core *core);
int vgpu_core_boot(struct vgpu_core *core);

/* power.c: the machine sleeps and wakes. */
extern const struct dev_pm_ops vgpu_power_ops;

/* recovery.c: reset the GPU some time after its GSP was wedged. */
extern const struct pci_error_handlers vgpu_recovery_handlers;
void vgpu_recovery_init(struct vgpu_core *core);
void vgpu_recovery_schedule(struct vgpu_core *core);
void vgpu_recovery_cancel(struct vgpu_core *core);
/* The GPU is to be reset for a reason that its firmware knows nothing of. */
void vgpu_recovery_wedge(struct vgpu_core *core, const char *why);
/*
 * Boot a firmware that knows nothing of what the last one was told. Where it
 * does not boot the GPU is wedged, @why saying so, and is reset again.
 */
void vgpu_recovery_boot(struct vgpu_core *core, const char *why);

/* debug.c: files in debugfs. */
void vgpu_debug_init(struct vgpu_core *core);
void vgpu_debug_finish(struct vgpu_core *core);
void vgpu_debug_keep_logs(struct vgpu_gsp *gsp);

/* debug.c: the logs of a boot that failed, of one GPU; NULL: of them all. */
void vgpu_debug_keep_failed(struct vgpu_core *core);
void vgpu_debug_drop_failed(struct pci_dev *pdev);

/* debug_fb.c: files of the framebuffer that is free, and of its use. */
void vgpu_debug_fb_init(struct vgpu_core *core);
void vgpu_debug_put_use(struct vgpu_core *core);

/* boot.c: boot the GSP's firmware, and unload it. */
int vgpu_gsp_start(struct vgpu_core *core);
void vgpu_gsp_stop(struct vgpu_core *core);

#endif
