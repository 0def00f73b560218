/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vGPU: its definition, its phase, its device process and its fds. */
#ifndef VGPU_MANAGER_VGPU_INSTANCE_H
#define VGPU_MANAGER_VGPU_INSTANCE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "caller.h"
#include "manager/device/device_process.h"
#include "manager/device/fd_store.h"
#include "manager/gpu/gpu.h"
#include "context.h"
#include "store.h"

/* Where it is in its life; drawn in instance.c. */
enum vgpu_phase {
	VGPU_PHASE_DEFINED,  /* waits for its framebuffer */
	VGPU_PHASE_ADOPTING, /* a process of an earlier vgpud is being asked */
	VGPU_PHASE_STARTING, /* a process was started, its status is awaited */
	VGPU_PHASE_ACTIVE,   /* the device waits for a VM */
	VGPU_PHASE_ATTACHED, /* a VM has it */
	VGPU_PHASE_FAILED,   /* failure says why */
	VGPU_PHASE_STOPPING, /* its process is being ended, then it is gone,
			      * or STOPPED if it is kept */
	VGPU_PHASE_STOPPED,  /* it holds nothing, until it is started */
	VGPU_PHASE_MAX,
};

struct vgpu_vnc;

struct vgpu_instance {
	TAILQ_ENTRY(vgpu_instance) entry; /* of vgpu_manager.instances */
	struct vgpu_manager *manager;
	struct vgpu_definition definition;
	enum vgpu_phase phase;
	char failure[VGPU_ERR_TEXT_MAX]; /* with VGPU_PHASE_FAILED */
	bool lacks_type; /* it failed because its type is gone */
	bool lacks_gpu;	 /* ... because one of its GPU's drivers is */
	bool lacks_vf;	 /* ... because its VF is not enabled */
	bool is_foreign; /* others made it: it is shown, and not on disk */
	bool is_damaged; /* its definition cannot be used: it never starts */
	bool is_wanted;	 /* it is to run: it was started, or starts by itself */
	/* It was defined before creator came, and is when STOPPING has ended. */
	bool is_kept;

	struct vgpu_gpu *gpu; /* NULL if there is no such GPU */
	bool is_placed;	      /* definition.place counts as used on gpu */
	/* What its transport has on the host is the vGPU's, or may be. */
	bool has_host_device;
	bool has_memory;	 /* taken from the provider, or adopted */
	bool is_framebuffer_new; /* ... and no process has had it */

	char address[16]; /* of the PCI device that it is; "" for none */
	struct vgpu_fd_store fds;
	struct vgpu_device *device;	   /* NULL if no process runs */
	struct vgpu_control_status status; /* the last, checked */
	bool has_served;		   /* since its last fresh start */
	uint64_t serving_since;		   /* CLOCK_MONOTONIC, of the process */
	unsigned int quick_ends; /* processes in a row that ended early */
	uint64_t restarts;

	/*
	 * Tokens: events that its device may still cause, and when they were
	 * last refilled.
	 */
	struct vgpu_event_budget {
		unsigned int tokens;
		uint64_t usec;
		uint64_t dropped;
	} budget, forbidden_budget;

	struct vgpu_caller creator; /* is told the end of creation or start */
	struct vgpu_err create_err; /* why that failed, once it has */
	struct vgpu_caller ender;   /* is told the end of its end */
	sd_event_source *timer;	    /* bounds both */

	struct vgpu_vnc *vnc[VGPU_HEADS_MAX];
	uint32_t machine_vgpus; /* machine.c: what its device was told; or 0 */

	/* share.c */
	int group; /* its control group's folder; -1: it has none now */
	/* While the group is being removed: since when, and what comes then. */
	uint64_t group_end; /* CLOCK_MONOTONIC */
	sd_event_source *group_timer;
	void (*group_done)(struct vgpu_instance *instance);
};

/* In the list, VGPU_PHASE_DEFINED, with nothing held. NULL: no memory. */
struct vgpu_instance *
vgpu_instance_create(struct vgpu_manager *manager,
		     const struct vgpu_definition *definition);
void vgpu_instance_destroy(struct vgpu_instance *instance);

/* Go to @next if the table in instance.c allows it; else log and refuse. */
int vgpu_instance_set_phase(struct vgpu_instance *instance, enum vgpu_phase next);
/* Whether it is meant to run. */
bool vgpu_instance_is_started(const struct vgpu_instance *instance);
/* What is being done to it: "made", "started", "stopped" or "destroyed". */
const char *vgpu_instance_doing(const struct vgpu_instance *instance);
/* "defined", "active", "attached" or "failed". */
const char *vgpu_instance_state(const struct vgpu_instance *instance);
bool vgpu_instance_is_attached(const struct vgpu_instance *instance);
/* Its device runs and answers. */
bool vgpu_instance_is_serving(const struct vgpu_instance *instance);

/* All of them by name, then those without one by uuid; the caller frees it. */
int vgpu_instance_sort(struct vgpu_manager *manager,
		       struct vgpu_instance ***ret_sorted, size_t *ret_count);

/* By uuid or by name; NULL and err "NoSuchVgpu" if there is none. */
struct vgpu_instance *vgpu_instance_find(struct vgpu_manager *manager,
					 const char *uuid_or_name,
					 struct vgpu_err *err);

/*
 * Set the same error, for a vGPU whose existence must not be revealed. Returns
 * -ENOENT.
 */
int vgpu_instance_set_unknown(const char *uuid_or_name, struct vgpu_err *err);

__attribute__((format(printf, 3, 4))) void
vgpu_instance_event(struct vgpu_instance *instance, const char *event,
		    const char *fmt, ...);
/* One that user @uid asked for; VGPU_EVENT_BY_NOBODY: nobody did. */
__attribute__((format(printf, 4, 5))) void
vgpu_instance_event_by(struct vgpu_instance *instance, int64_t uid,
		       const char *event, const char *fmt, ...);
/* A line for the log that is no event. */
__attribute__((format(printf, 2, 3))) void
vgpu_instance_log(const struct vgpu_instance *instance, const char *fmt, ...);

#endif
