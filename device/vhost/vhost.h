/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vhost-user back end: one front end at a time, from a listening socket. */
#ifndef VGPU_DEVICE_VHOST_VHOST_H
#define VGPU_DEVICE_VHOST_VHOST_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/slots.h"
#include "device/state_abi.h"
#include "device/virtio/device.h"
#include "lib/err.h"

struct vgpu_vhost;

/* What the back end tells its owner. All are required. */
struct vgpu_vhost_ops {
	/* The guest or the front end broke a rule; @text says which. */
	void (*fault)(void *opaque, const char *text);
	/* A front end came or went. */
	void (*link_changed)(void *opaque);
	void (*status_changed)(void *opaque);
};

struct vgpu_vhost_config {
	struct vgpu_virtio_config virtio;
	/* Size of the host-visible window; 0 for none. A power of two. */
	uint64_t host_visible_bytes;
};

/*
 * A back end on @state, with @slots' fds: it listens on VGPU_SLOT_LISTEN, if
 * that is there, and goes on with the front end in VGPU_SLOT_FRONTEND, if
 * @state says that there is one. Both stay the caller's and outlive it.
 */
int vgpu_vhost_create(sd_event *event, struct vgpu_state *state,
		      struct vgpu_slots *slots,
		      const struct vgpu_vhost_config *config,
		      const struct vgpu_vhost_ops *ops, void *opaque,
		      struct vgpu_vhost **ret_vhost, struct vgpu_err *err);
void vgpu_vhost_destroy(struct vgpu_vhost *vhost); /* NULL is fine */

/* Take @fd, a connected front end, over. */
int vgpu_vhost_attach(struct vgpu_vhost *vhost, int fd);
bool vgpu_vhost_is_attached(const struct vgpu_vhost *vhost);
/*
 * ... or was disconnected, and its process still has the vGPU's memory mapped.
 */
bool vgpu_vhost_is_held(const struct vgpu_vhost *vhost);
/* So many vGPUs has the VM, this one included. */
void vgpu_vhost_set_vgpus(struct vgpu_vhost *vhost, uint32_t vgpus);
/* Process id of the front end, 0 if unknown. */
int32_t vgpu_vhost_peer_pid(const struct vgpu_vhost *vhost);

/* NULL if the model is another. */
struct vgpu_gpu *vgpu_vhost_gpu(struct vgpu_vhost *vhost);

/* For a model that says when it is ready: of its first queue. */
bool vgpu_vhost_is_running(const struct vgpu_vhost *vhost);
void vgpu_vhost_run(struct vgpu_vhost *vhost);

#endif
