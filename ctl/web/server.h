/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP: who may ask for what, by libmicrohttpd. */
#ifndef VGPU_CTL_WEB_SERVER_H
#define VGPU_CTL_WEB_SERVER_H

#include <systemd/sd-event.h>

#include "ctl/web/files.h"
#include "ctl/web/session.h"

/* Connections at a time: a new one is in place of the oldest that is idle. */
#define WEB_CLIENTS_MAX 128
/* Of a connection on which nothing happens. */
#define WEB_IDLE_USEC (30 * 1000 * 1000ULL)

struct web_server;

struct web_server_config {
	sd_event *event;
	struct web_files files;
	struct web_sessions *sessions;
	const char *url; /* where browsers find it */
};

/* What @config points at stays the caller's. Returns 0 or -errno. */
int web_server_create(const struct web_server_config *config,
		      struct web_server **ret);
/* End the sessions before. NULL is fine. */
void web_server_destroy(struct web_server *server);
/* Accept from @fd, a listening stream socket, which is taken over. */
int web_server_listen(struct web_server *server, int fd);
/* Serve until the event loop ends. Returns 0 or -errno. */
int web_server_run(struct web_server *server);

#endif
