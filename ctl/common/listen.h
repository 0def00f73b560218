/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that a service listens on. */
#ifndef VGPU_CTL_COMMON_LISTEN_H
#define VGPU_CTL_COMMON_LISTEN_H

/*
 * Listen at @path, a new socket of @type; who may connect is for its folder to
 * say. The caller's fd does not block. Returns 0 or -errno.
 */
int ctl_listen_unix(const char *path, int type, int *ret_fd);

/*
 * The same at unix:PATH, 127.0.0.1:PORT or [::1]:PORT, for streams. -EINVAL: it
 * is none of these.
 */
int ctl_listen_at(const char *address, int *ret_fd);

/* Remove the file of a socket at @address, if it is one of unix:PATH. */
void ctl_listen_remove(const char *address);

#endif
