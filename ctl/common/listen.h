/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that a service listens on. */
#ifndef VGPU_CTL_COMMON_LISTEN_H
#define VGPU_CTL_COMMON_LISTEN_H

#include <systemd/sd-event.h>

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

/*
 * Call @on_connect when somebody connects to @fd, which this takes, though no more
 * than @accepts_per_s times a second: with no fd left for them, those who wait to be
 * accepted would keep us awake. Returns 0 or -errno; *ret_source is the caller's.
 */
int ctl_listen_watch(sd_event *event, int fd, unsigned int accepts_per_s,
		     sd_event_io_handler_t on_connect, void *opaque,
		     sd_event_source **ret_source);

/* Remove the file of a socket at @address, if it is one of unix:PATH. */
void ctl_listen_remove(const char *address);

#endif
