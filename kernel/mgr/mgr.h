/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU manager of one GPU, as its files share it. */
#ifndef VGPU_KERNEL_MGR_MGR_H
#define VGPU_KERNEL_MGR_MGR_H

#include <linux/firmware.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/threads.h>
#include <linux/uuid.h>
#include <linux/workqueue.h>

#include "dir.h"
#include "kernel/core/core_ops.h"
#include "place.h"
#include "task.h"
#include "test_hooks.h"
#include "types.h"
#include "vf_api.h"

#define VGPU_HEAPS_BYTES 0x20000000 /* of all tasks */
#define VGPU_HEAP_UNIT	 0x01000000

struct vgpu_mgr;

/*
 *           a type is set             opened
 *     none ---------------> defined ---------> active
 *          <---------------         <---------   |   lost: the firmware or its
 *                0 is set            closed      v   task crashed, or the PF
 *                                   closed      lost  was let go
 *                         defined <-------------/
 */
struct vgpu_vf {
	struct vgpu_mgr *mgr;
	u32 gfid;
	struct vgpu_dir *dir;
	bool has_device_files;

	/*
	 * Held by who opens, closes or resets it, or sets its type: for long,
	 * as the firmware may take its time. Before mgr->lock and user_lock.
	 */
	struct mutex lock;
	const struct vgpu_type *type; /* NULL: none. This and what follows: lock */
	struct vgpu_place place;
	u32 wanted_place; /* or VGPU_PLACE_AUTO */
	/* As the guest sees it; under mgr->lock, too. Null: none is chosen yet. */
	uuid_t uuid;
	bool is_open;
	bool is_lost;
	bool has_use;	      /* of the GPU's */
	struct module *owner; /* of the PF's driver, while it is open */
	bool is_dirty;	      /* its framebuffer could not be scrubbed */
	/*
	 * Its last task may still run, with all that the VF has of the GPU, until
	 * that is reset: is_dirty goes with it. Written under mgr->lock, too.
	 */
	bool is_orphan;
	const char *why_failed; /* a text for good, or NULL */
	struct vgpu_task task;
	u32 opener; /* pid */
	u32 dbdf;   /* its address: domain << 16 | bus << 8 | devfn */

	/* Who has opened it; NULL where nobody is to be told any more. */
	struct mutex user_lock;
	struct vgpu_vf_user *user;

	unsigned long events; /* bits: vgpu_task_event, to be looked at */
	/* Looks at them: each VF its own, for one that is taken down may take long. */
	struct work_struct work;
	bool has_news; /* whoever polls its state is to be told of errors */
	bool is_driver_loaded;
	/* Since the driver was bound; each has one writer at a time. */
	u32 losses;
	u32 channel_errors;
	u32 messages; /* errors that its task wants printed */
	u64 engine_ns[VGPU_USE_ENGINES]; /* since it was opened */
};

/*
 * What the firmware names a vGPU's work by. It is meant for a pid; one process
 * may have several vGPUs.
 */
static_assert(PID_MAX_LIMIT <= 1 << 24);
static inline u32 vgpu_vf_process(const struct vgpu_vf *vf)
{
	return vf->gfid << 24 | vf->opener;
}

/* What a VF had that could not be scrubbed, or is an orphan's: quarantined. */
struct vgpu_dirty {
	struct vgpu_place place;
	bool is_orphan;
};

/* What a type's folder is of. */
struct vgpu_type_files {
	struct vgpu_mgr *mgr;
	const struct vgpu_type *type;
	struct vgpu_dir *dir;
};

struct vgpu_mgr {
	struct kref ref;
	struct list_head link; /* of all managers */
	struct pci_dev *pdev;  /* to be compared, not used, once it is gone */
	struct vgpu_pf *pf; /* its driver's: not to be used once that is gone */
	/* Its driver is going: nothing new is begun, and no wait goes on. */
	bool is_gone;

	struct vgpu_dir *types_dir;
	struct vgpu_type_files type_files[VGPU_TYPES_MAX];
	struct vgpu_dir *scheduler_dir;
	struct vgpu_dir *bulk_dir;
	bool has_files;
	struct kobj_attribute placement_file;
	struct vgpu_test_hooks hooks;

	const struct firmware *file;
	struct vgpu_type_file types; /* none where there was no file */

	/*
	 * Protects what follows, and is taken last of the manager's locks. The
	 * allocators of the GPU have a lock of their own, within this one.
	 */
	struct mutex lock;
	enum vgpu_place_mode mode;
	struct vgpu_place_gpu place;
	struct vgpu_fb heaps;
	struct vgpu_range heap_ranges[2 * VGPU_INSTANCES_MAX];
	bool is_ready;	   /* there is something to place on */
	bool can_migrate;  /* its firmware says so */
	bool is_disabling; /* VFs are going away */
	u32 provisioned;   /* VFs that have a type */
	u32 open;	   /* VFs that are open, or being opened */
	struct vgpu_dirty dirty[VGPU_INSTANCES_MAX];
	u32 dirty_count;
	u32 policy;	  /* enum vgpu_task_policy */
	u32 timeslice_us; /* 0: the firmware's choice */
	u32 timeslice_min_us;
	u32 timeslice_max_us;

	struct vgpu_event_subscriber task_events;
	struct vgpu_event_subscriber wedge;
	struct vgpu_event_subscriber samples;
	struct vgpu_event_subscriber rc_errors;
	struct ratelimit_state dumps; /* of lost vGPUs' tasks */
	u64 sampled_ns; /* by the GPU's clock; of samples' thread alone */

	u32 vf_count;
	struct vgpu_vf vfs[]; /* by number, from 0: GFID 1 */
};

/* manager.c: the manager of a PF's VFs, with a reference; NULL: there is none. */
struct vgpu_mgr *vgpu_mgr_get(struct pci_dev *pf);
void vgpu_mgr_put(struct vgpu_mgr *mgr);
/* The VF that @pdev is, of the manager of its PF, with a reference to that. */
struct vgpu_vf *vgpu_mgr_get_vf(struct pci_dev *pdev);

/* provision.c: zero the framebuffer of a place, or that and its task's heap. */
int vgpu_mgr_scrub_fb(struct vgpu_mgr *mgr, const struct vgpu_place *place);
int vgpu_mgr_scrub(struct vgpu_mgr *mgr, const struct vgpu_place *place);
/* A firmware that has just booted has no task of before. */
void vgpu_mgr_forget_orphans(struct vgpu_mgr *mgr);
/* Callers hold nothing. */
int vgpu_vf_set_type(struct vgpu_vf *vf, u32 id);
int vgpu_vf_set_place(struct vgpu_vf *vf, u32 id);
int vgpu_vf_set_uuid(struct vgpu_vf *vf, const uuid_t *uuid);
int vgpu_mgr_set_all_types(struct vgpu_mgr *mgr, u32 id);
int vgpu_mgr_set_mode(struct vgpu_mgr *mgr, enum vgpu_place_mode mode);
/* To how many VFs more the type could be given. */
u32 vgpu_mgr_count_available(struct vgpu_mgr *mgr, const struct vgpu_type *type);

/*
 * lifecycle.c: it is lost, unless it is not open. @why NULL: only where its
 * task or the firmware is of no use any more.
 */
void vgpu_vf_lose(struct vgpu_vf *vf, const char *why);
/* A text for sysfs, of at most a page. */
int vgpu_vf_print_state(struct vgpu_vf *vf, char *buf);
void vgpu_vf_state_changed(struct vgpu_vf *vf);

/*
 * loss.c: count an error, of which a guest may cause any number: whoever polls
 * is told of the 1st, 2nd, 4th, 8th ... In a thread of the firmware's events.
 */
void vgpu_vf_count_error(struct vgpu_vf *vf, u32 *count);

/* loss.c: tell of a vGPU that is lost, before it is taken down. */
void vgpu_vf_tell_loss(struct vgpu_vf *vf, const char *why);
/* Errors of guests are counted. */
void vgpu_mgr_watch_errors(struct vgpu_mgr *mgr);
void vgpu_mgr_unwatch_errors(struct vgpu_mgr *mgr);

/* usage.c: what vGPUs use, as the firmware says. */
void vgpu_mgr_watch_usage(struct vgpu_mgr *mgr);
void vgpu_mgr_unwatch_usage(struct vgpu_mgr *mgr);
/* Bytes that the guest has allocated; 0 where it is not open. */
u64 vgpu_vf_fb_used(struct vgpu_vf *vf);

/* scheduler.c. Callers hold nothing. */
int vgpu_mgr_read_scheduler(struct vgpu_mgr *mgr);
int vgpu_mgr_set_policy(struct vgpu_mgr *mgr, u32 policy);
int vgpu_mgr_set_timeslice(struct vgpu_mgr *mgr, u32 us);
/* Tell a firmware that has just booted. */
int vgpu_mgr_tell_scheduler(struct vgpu_mgr *mgr);

/* sysfs.c, sysfs_vf.c, nvidia_files.c */
int vgpu_mgr_add_files(struct vgpu_mgr *mgr);
void vgpu_mgr_remove_files(struct vgpu_mgr *mgr);
int vgpu_vf_add_files(struct vgpu_vf *vf);
void vgpu_vf_remove_files(struct vgpu_vf *vf);
int vgpu_vf_add_device_files(struct vgpu_vf *vf, struct pci_dev *pdev);
void vgpu_vf_remove_device_files(struct vgpu_vf *vf, struct pci_dev *pdev);

#endif
