/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, view only, with all other features off. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_SERVER_H
#define VGPU_DEVICE_DISPLAY_VNC_SERVER_H

#include <poll.h>
#include <stdbool.h>

#include "device/display/vnc/source.h"

/*
 * Clients at a time; more are refused once all of these have finished the
 * handshake.
 */
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
/* The source has new pixels, at another address and of another size. */
void vgpu_vnc_server_resize(struct vgpu_vnc_server *server);
/* True if a client has everything that is new, or there is no client. */
bool vgpu_vnc_server_is_ready(struct vgpu_vnc_server *server);

#endif
