/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consoles: a browser's WebSocket joined with the socket of a VNC server. */
#ifndef VGPU_CTL_WEB_RELAY_H
#define VGPU_CTL_WEB_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <microhttpd.h>
#include <systemd/sd-event.h>

/* Of a message of the browser's. noVNC's have 10 KiB at most. */
#define WEB_MESSAGE_BYTES_MAX (64 * 1024)
/* A browser that does not answer a ping for as long as two of these is gone. */
#define WEB_PING_USEC (30 * 1000 * 1000ULL)

struct web_relay;

/* Of one session. */
struct web_relays {
	sd_event *event;
	unsigned int n;
	TAILQ_HEAD(web_relay_list, web_relay) list;
};

void web_relays_init(struct web_relays *relays, sd_event *event);
/* End all there are. Those that have not begun end when they are to. */
void web_relays_end(struct web_relays *relays);

/*
 * One for a VNC server's socket, which is taken over. It begins when the
 * browser's connection is a WebSocket, or is destroyed before. Returns 0 or
 * -errno: -ENOTSOCK, @vnc is no socket of a stream.
 */
int web_relay_create(struct web_relays *relays, int vnc, struct web_relay **ret);
void web_relay_destroy(struct web_relay *relay); /* NULL is fine */
/*
 * @socket is a WebSocket from now on, of which @extra has come already. It
 * ends, and is destroyed, by itself.
 */
void web_relay_begin(struct web_relay *relay,
		     struct MHD_UpgradeResponseHandle *handle, int socket,
		     const char *extra, size_t extra_bytes);

#endif
