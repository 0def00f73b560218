/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, with all features off but those named here. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_SERVER_H
#define VGPU_DEVICE_DISPLAY_VNC_SERVER_H

#include <poll.h>
#include <stdbool.h>

#include "device/display/vnc/input.h"
#include "device/display/vnc/source.h"

/*
 * Clients at a time; more are refused once all of these have finished the
 * handshake.
 */
#define VGPU_VNC_CLIENTS_MAX 8

struct vgpu_vnc_server;

/* RFB's own way (VNC authentication) takes no more of a password. */
#define VGPU_VNC_PASSWORD_MAX 8

struct vgpu_vnc_server_config {
	const char *name;
	const struct vgpu_vnc_source *source;
	/* Where to what clients type and point at goes; NULL: they only look. */
	struct vgpu_vnc_input *input;
	const char *password; /* ""; none is asked for */
};

/*
 * Returns NULL if there is no memory. What @config points to outlives the
 * server, of which there is one in a process.
 */
struct vgpu_vnc_server *
vgpu_vnc_server_create(const struct vgpu_vnc_server_config *config);
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
