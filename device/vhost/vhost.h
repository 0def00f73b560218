/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vhost-user back end: one front end at a time, from a listening socket. */
#ifndef VGPU_DEVICE_VHOST_VHOST_H
#define VGPU_DEVICE_VHOST_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "device/virtio/transport.h"
#include "lib/err.h"

struct vgpu_vhost;

/*
 * A back end on the config's state, with its slots' fds: it listens on
 * VGPU_SLOT_LISTEN, if that is there, and goes on with the front end in
 * VGPU_SLOT_FRONTEND, if the state says that there is one.
 */
int vgpu_vhost_create(const struct vgpu_transport_config *config,
		      struct vgpu_transport **ret_transport,
		      struct vgpu_err *err);
/* What @transport, which vgpu_vhost_create() made, is. */
struct vgpu_vhost *vgpu_vhost_of(struct vgpu_transport *transport);

/* Take @fd, a connected front end, over. */
int vgpu_vhost_attach(struct vgpu_vhost *vhost, int fd);
bool vgpu_vhost_is_attached(const struct vgpu_vhost *vhost);
/* Process id of the front end, 0 if unknown. */
int32_t vgpu_vhost_peer_pid(const struct vgpu_vhost *vhost);

/* For a model that says when it is ready: of its first queue. */
bool vgpu_vhost_is_running(const struct vgpu_vhost *vhost);
void vgpu_vhost_run(struct vgpu_vhost *vhost);

#endif
