/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small HTTP server: GET, one request for each connection. */
#ifndef VGPU_CTL_EXPORTER_SERVER_H
#define VGPU_CTL_EXPORTER_SERVER_H

#include <systemd/sd-event.h>

#include "ctl/exporter/scrape.h"

/* Connections at a time: a new one is in place of the oldest that waits. */
#define EXPORTER_CLIENTS_MAX 32
/* Of a request, up to its empty line. */
#define EXPORTER_REQUEST_BYTES_MAX 8192
/* From connecting to the last byte of the answer. */
#define EXPORTER_CLIENT_MAX_USEC (10 * 1000 * 1000ULL)

struct exporter_server;

int exporter_server_create(sd_event *event, struct exporter_scrape *scrape,
			   struct exporter_server **ret_server);
void exporter_server_destroy(struct exporter_server *server); /* NULL is fine */
/* Serve one that has connected; @fd is taken over. Returns 0 or -errno. */
int exporter_server_add(struct exporter_server *server, int fd);
/* Accept from @fd, a listening stream socket, which is taken over. */
int exporter_server_listen(struct exporter_server *server, int fd);

#endif
