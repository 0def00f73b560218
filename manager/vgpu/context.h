/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct vgpu_manager: event loop, settings, GPUs and vGPUs, as manager.c sets
 * them up and lower rooms use them.
 */
#ifndef VGPU_MANAGER_VGPU_CONTEXT_H
#define VGPU_MANAGER_VGPU_CONTEXT_H

#include <stdbool.h>
#include <sys/queue.h>

#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

#include "events.h"
#include "manager/catalogue.h"
#include "manager/config.h"
#include "manager/gpu/inventory.h"
#include "lib/control_abi.h"
#include "manager/host/cgroup.h"
#include "manager/host/paths.h"
#include "store.h"

struct vgpu_deposit;
struct vgpu_gpu_loss;
struct vgpu_gpu_nodes;
struct vgpu_instance;
struct vgpu_manager;
struct vgpu_mdev_made;
struct vgpu_subscribers;
struct vgpu_transport_ops;
struct vgpu_vnc;

/* Groups; 0 for none. See access.h. */
struct vgpu_access {
	uint32_t managers; /* may manage */
	uint32_t users;	   /* may use a vGPU that root made for no one */
	uint32_t watchers; /* see every vGPU and event, and change nothing */
	bool has_acls;	   /* the runtime folder's file system */
};

/* Callbacks from lower rooms to the manager. All are required. */
struct vgpu_manager_hooks {
	/* A vGPU came, went or changed its state. */
	void (*changed)(struct vgpu_manager *manager);
	/* Taking over a device that ran before has succeeded or failed. */
	void (*adopted)(struct vgpu_manager *manager);
	/*
	 * Called before a call is handled: read again what others may have
	 * changed of GPUs and vGPUs.
	 */
	void (*refresh)(struct vgpu_manager *manager);
	/* A device says that its contexts were lost by the driver of @gpu. */
	void (*gpu_lost)(struct vgpu_manager *manager, struct vgpu_gpu *gpu);
};

/* Used by one thread; the pool's thread has its own state. */
struct vgpu_manager {
	const struct vgpu_manager_hooks *hooks;
	sd_event *event;
	sd_varlink_server *server; /* NULL until it is ready */
	sd_event_source *accept;   /* of its clients */
	struct vgpu_paths paths;
	struct vgpu_config config;
	struct vgpu_access access;
	struct vgpu_cgroups cgroups;
	struct vgpu_catalogue catalogue;
	struct vgpu_inventory inventory;
	struct vgpu_gpu_loss *gpu_loss;	  /* drivers to be asked again */
	struct vgpu_gpu_nodes *gpu_nodes; /* NULL: nobody notices */
	struct vgpu_events events;
	/* Layers of the sandbox that some vGPU's process lacked last, or "". */
	char sandbox_problem[VGPU_CONTROL_TEXT_MAX];
	struct vgpu_subscribers *subscribers; /* clients that follow them */
	struct vgpu_deposit *deposit;	      /* NULL where there is none */
	bool is_deposit_full;
	/* Every vGPU, in the order of their coming. */
	TAILQ_HEAD(vgpu_instances, vgpu_instance) instances;
	/* VNC servers whose vGPU is gone and that are about to end. */
	TAILQ_HEAD(vgpu_vncs, vgpu_vnc) ending_vncs;
	int sysfs; /* the folder, O_PATH */
	/* By the transport; NULL: that has nothing on the host. */
	const struct vgpu_transport_ops *transports[VGPU_TRANSPORT_MAX];
	struct vgpu_mdev_made *mdev_made; /* NULL: not looked for yet */
	sd_event_source *rescan_timer;	  /* while there is what it looks for */
	bool is_loaded;			  /* every definition is */
	bool is_ready;			  /* the service manager was told so */
	sd_event_source *ready_timer;	  /* bounds the wait for that */
	bool is_ending;
};

#endif
