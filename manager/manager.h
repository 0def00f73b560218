/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager: all that vgpud has, in one place. */
#ifndef VGPU_MANAGER_MANAGER_H
#define VGPU_MANAGER_MANAGER_H

#include <stdbool.h>
#include <sys/queue.h>

#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

#include "catalogue.h"
#include "manager/host/cgroup.h"
#include "config.h"
#include "manager/vgpu/events.h"
#include "manager/gpu/inventory.h"
#include "manager/host/paths.h"

struct vgpu_deposit;
struct vgpu_instance;
struct vgpu_vnc;

/* Groups; 0 for none. See access.h. */
struct vgpu_access {
	uint32_t managers; /* may manage */
	uint32_t users;	   /* may use a vGPU that root made for no one */
	bool has_acls;	   /* the runtime folder's file system */
};

/* One thread runs all of it; the pool's thread has its own small state. */
struct vgpu_manager {
	sd_event *event;
	sd_varlink_server *server; /* NULL until it is ready */
	sd_event_source *accept;   /* of its clients */
	struct vgpu_paths paths;
	struct vgpu_config config;
	struct vgpu_access access;
	struct vgpu_cgroups cgroups;
	struct vgpu_catalogue catalogue;
	struct vgpu_inventory inventory;
	struct vgpu_events events;
	struct vgpu_deposit *deposit; /* NULL where there is none */
	bool is_deposit_full;
	/* Every vGPU, in the order of their coming. */
	TAILQ_HEAD(vgpu_instances, vgpu_instance) instances;
	/* VNC servers whose vGPU is gone and that are about to end. */
	TAILQ_HEAD(vgpu_vncs, vgpu_vnc) ending_vncs;
	int sysfs;		       /* the folder, O_PATH */
	sd_event_source *rescan_timer; /* while there is what it looks for */
	bool is_loaded;		       /* every definition is */
	bool is_ready;		       /* the service manager was told so */
	sd_event_source *ready_timer;  /* bounds the wait for that */
	bool is_ending;
};

struct vgpu_manager_options {
	const char *state;
	const char *runtime;
	const char *config; /* NULL for the default */
	const char *types;  /* NULL for the default */
	const char *sysfs;  /* NULL for the default, which need not be there */
};

/* Whether its configuration and its types can be read. */
int vgpu_manager_check(const struct vgpu_manager_options *options,
		       struct vgpu_err *err);
int vgpu_manager_init(struct vgpu_manager *manager, sd_event *event,
		      const struct vgpu_manager_options *options,
		      struct vgpu_err *err);
/* Bring back every vGPU that is defined, and begin to serve. */
int vgpu_manager_start(struct vgpu_manager *manager, struct vgpu_err *err);
/* Let go of everything. Device processes run on. */
void vgpu_manager_finish(struct vgpu_manager *manager);

void vgpu_manager_reload(struct vgpu_manager *manager);
/* Before a call is answered: see what others did to GPUs and vGPUs. */
void vgpu_manager_refresh(struct vgpu_manager *manager);

/* Something about memory changed: who waits for it may have it now. */
void vgpu_manager_on_memory(void *manager);
/* A device that ran before was taken over, or was not. */
void vgpu_manager_on_adopted(struct vgpu_manager *manager);
/* A vGPU came, went or changed its state. */
void vgpu_manager_on_change(struct vgpu_manager *manager);

#endif
