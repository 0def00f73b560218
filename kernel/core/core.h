/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_core: the driver of the PF, as its own files share it. */
#ifndef VGPU_KERNEL_CORE_CORE_H
#define VGPU_KERNEL_CORE_CORE_H

#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "kernel/core/core_ops.h"
#include "kernel/core/gsp/gsp.h"
#include "kernel/core/hw/hw.h"
#include "kernel/core/pure/attempts.h"
#include "kernel/core/rm/events.h"
#include "kernel/core/rm/resources.h"
#include "kernel/core/rm/rm.h"
#include "kernel/core/rm/scrub.h"

/* recovery.c: whether and how the GPU is reset. */
struct vgpu_recovery {
	struct delayed_work work;
	struct vgpu_attempts attempts; /* of the work alone; so is the next */
	u32 failed_boots;	       /* one after the other */
	const char *why_wedged;	       /* a static text, or NULL: it is not */
};

/* use.c: how many vGPUs are open. While there are some the GPU does not sleep. */
struct vgpu_users {
	struct mutex lock; /* protects the next two */
	u32 count;
	bool is_closed; /* none are opened any more */
};

/* sleep.c: the firmware while the machine sleeps, and what is saved of it. */
struct vgpu_sleep {
	struct vgpu_gsp *gsp; /* NULL: it does not sleep */
	struct vgpu_dma meta;
	struct vgpu_radix3 wpr;
	struct vgpu_pages vram;
};

/* debug.c: a file that shows one of the firmware's logs. */
struct vgpu_log_file {
	struct vgpu_core *core;
	int index;
	bool is_kept; /* from when it was last wedged */
};

struct vgpu_debug {
	struct dentry *dir;
	struct vgpu_log_file log_files[2 * VGPU_GSP_LOGS];
	void *kept_logs[VGPU_GSP_LOGS]; /* under gsp_lock */
	int has_use;			/* debug_fb.c: a test's */
};

struct vgpu_core {
	struct vgpu_pf pf; /* what the vGPU manager sees */
	struct vgpu_hw hw;
	const struct vgpu_abi *abi;

	/*
	 * Protects @gsp, @info and @properties. Taken for reading by whoever
	 * calls the GSP, for writing by whoever boots, unloads or suspends it.
	 */
	struct rw_semaphore gsp_lock;
	struct vgpu_gsp *gsp;	      /* NULL: it did not boot */
	struct vgpu_static_info info; /* of the last one that booted */
	struct vgpu_properties properties;
	u32 boot_driver_ms;
	u32 boot_firmware_ms;

	struct vgpu_events events;
	struct vgpu_resources resources;
	struct vgpu_scrubber scrubber;
	struct vgpu_recovery recovery;
	struct vgpu_users use;
	struct vgpu_sleep sleep;
	struct vgpu_debug debug;
	bool is_up; /* its driver is bound */
};

/* vf.c: what the GSP has to know of the VFs; all 0 where there are none. */
void vgpu_core_get_vf_info(struct vgpu_core *core, struct vgpu_vf_info *ret_vfs);

/* vf.c: have @count VFs; returns how many there are, as .sriov_configure does. */
int vgpu_core_set_vfs(struct pci_dev *pdev, int count);

/* sysfs.c: the folder vgpu/ of the PF, which vgpu_pf_remove_dir() removes. */
int vgpu_core_add_files(struct vgpu_core *core);

/* ops.c: what the vGPU manager calls; core->pf refers to it. */
extern const struct vgpu_core_ops vgpu_core_pf_ops;
/* ops.c: as scrub() of it. */
int vgpu_core_scrub(struct vgpu_core *core, u64 fb_offset, u64 bytes);

/* boot.c: boot the GSP's firmware, once the GPU has booted itself; and unload it. */
int vgpu_core_boot(struct vgpu_core *core);
void vgpu_core_unload(struct vgpu_core *core);
/*
 * boot.c: the firmware is up, and everybody may call it; or nobody any more.
 * Callers hold gsp_lock for writing.
 */
int vgpu_core_open_gsp(struct vgpu_core *core, struct vgpu_gsp *gsp);
void vgpu_core_close_gsp(struct vgpu_core *core);

/* use.c: a vGPU is opened. -ENODEV: the GPU is wedged, sleeps, or is unbound. */
int vgpu_use_get(struct vgpu_core *core);
void vgpu_use_put(struct vgpu_core *core);
u32 vgpu_use_count(struct vgpu_core *core);
/* use.c: no more are opened. The second one: -EBUSY: some are open. */
void vgpu_use_close(struct vgpu_core *core);
int vgpu_use_close_if_unused(struct vgpu_core *core);
void vgpu_use_reopen(struct vgpu_core *core);

/* power.c: the machine sleeps and wakes. */
extern const struct dev_pm_ops vgpu_power_ops;

/*
 * sleep.c: save the firmware that is up, and restore it. Callers hold gsp_lock
 * for writing. If saving fails the firmware is unloaded, or, with no memory for
 * it, still up; if it does not wake it is unloaded, and gone.
 */
int vgpu_sleep_save(struct vgpu_core *core);
int vgpu_sleep_wake(struct vgpu_core *core);
/* sleep.c: drop the firmware that sleeps, and what was saved. Idempotent. */
void vgpu_sleep_drop(struct vgpu_core *core);

/* recovery.c: reset the GPU some time after its GSP was wedged. */
extern const struct pci_error_handlers vgpu_recovery_handlers;
void vgpu_recovery_init(struct vgpu_core *core);
void vgpu_recovery_schedule(struct vgpu_core *core);
void vgpu_recovery_cancel(struct vgpu_core *core);
/*
 * Boot a firmware that knows nothing of what the last one was told. If that fails
 * the GPU is wedged, for the reason @why (a static text), and is reset again.
 */
void vgpu_recovery_boot(struct vgpu_core *core, const char *why);

/* debug.c: files in debugfs. finish() also frees logs that were kept. Idempotent. */
void vgpu_debug_init(struct vgpu_core *core);
void vgpu_debug_finish(struct vgpu_core *core);
/* debug.c: keep the logs of a GSP that did not boot, or was wedged. */
void vgpu_debug_keep_logs(struct vgpu_core *core, struct vgpu_gsp *gsp);

/* debug.c: the logs of a boot that failed, of one GPU; NULL: of them all. */
void vgpu_debug_keep_failed(struct vgpu_core *core);
void vgpu_debug_drop_failed(struct pci_dev *pdev);

/* debug_fb.c: for tests, files of the framebuffer that is free, and of its use. */
#ifdef CONFIG_VGPU_TEST_HOOKS
void vgpu_debug_fb_init(struct vgpu_core *core);
void vgpu_debug_put_use(struct vgpu_core *core);
#else
static inline void vgpu_debug_fb_init(struct vgpu_core *core)
{
}

static inline void vgpu_debug_put_use(struct vgpu_core *core)
{
}
#endif

#endif
