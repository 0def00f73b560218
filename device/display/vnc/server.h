/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, with everything off that is not looking. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_SERVER_H
#define VGPU_DEVICE_DISPLAY_VNC_SERVER_H

#include <poll.h>
#include <stdbool.h>

#include "device/display/vnc/source.h"

/* Clients at a time; more are turned away once all of these look. */
#define VGPU_VNC_CLIENTS_MAX 8

struct vgpu_vnc_server;

/* Returns NULL if there is no memory. @source outlives the server. */
struct vgpu_vnc_server *
vgpu_vnc_server_create(const char *name, const struct vgpu_vnc_source *source);
void vgpu_vnc_server_destroy(struct vgpu_vnc_server *server); /* NULL is fine */

/* A client that connected; takes @fd over. */
void vgpu_vnc_server_add(struct vgpu_vnc_server *server, int fd);
/*
 * The sockets to poll, VGPU_VNC_CLIENTS_MAX at most, and for how long; -1 for
 * ever. Returns how many.
 */
unsigned int vgpu_vnc_server_poll(struct vgpu_vnc_server *server,
				  struct pollfd *ret_fds, int *ret_timeout_ms);
/* Those that look now. */
unsigned int vgpu_vnc_server_clients(const struct vgpu_vnc_server *server);
/* Read what clients sent, and send them what is new. */
void vgpu_vnc_server_serve(struct vgpu_vnc_server *server);

/* The source's damage is new to all clients. */
void vgpu_vnc_server_damage(struct vgpu_vnc_server *server);
/* The source's pixels are elsewhere and of another size. */
void vgpu_vnc_server_resize(struct vgpu_vnc_server *server);
/* No client waits for what is new: one has it all, or there is none. */
bool vgpu_vnc_server_is_ready(struct vgpu_vnc_server *server);

#endif
