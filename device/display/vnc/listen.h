/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a VNC server listens: a unix socket, or a port of this machine. */
#ifndef VGPU_DEVICE_DISPLAY_VNC_LISTEN_H
#define VGPU_DEVICE_DISPLAY_VNC_LISTEN_H

#include "lib/err.h"

struct vgpu_vnc_listener {
	int fd;
	int remover; /* of a unix socket's file; or -1 */
};

/*
 * @address is unix:PATH, 127.0.0.1:PORT or [::1]:PORT; all else is refused.
 * A unix socket that nobody listens on any more is replaced, anything else
 * that is in its place is not. Returns 0 or -errno.
 */
int vgpu_vnc_listen(struct vgpu_vnc_listener *listener, const char *address,
		    struct vgpu_err *err);
void vgpu_vnc_listener_finish(struct vgpu_vnc_listener *listener);

#endif
