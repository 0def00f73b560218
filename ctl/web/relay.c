/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consoles: a browser's WebSocket joined with the socket of a VNC server. */
#include "ctl/web/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "lib/util.h"

/* What is read of the server at a time, when the last of it is sent. */
#define READ_BYTES (64 * 1024)
/* wslay reads so much at a time. */
#define WSLAY_BYTES 4096
/* No more is read of the browser while the server has not taken as much. */
#define WAITING_BYTES (16 * 1024)
/* A message that was nearly there, and what came with its end. */
#define TO_VNC_BYTES (WAITING_BYTES + WEB_MESSAGE_BYTES_MAX + 2 * WSLAY_BYTES)

struct web_relay {
	TAILQ_ENTRY(web_relay) entry;
	struct web_relays *relays; /* NULL: their session has ended */
	struct MHD_UpgradeResponseHandle *handle;
	int web; /* the handle's */
	int vnc;
	sd_event_source *web_io;
	sd_event_source *vnc_io;
	sd_event_source *ping;
	wslay_event_context_ptr wslay;
	bool is_alive; /* it said something since the last ping */
	bool is_over;
	char extra[WSLAY_BYTES]; /* what came with the request */
	size_t extra_bytes;
	size_t extra_read;
	uint8_t to_vnc[TO_VNC_BYTES];
	size_t to_vnc_bytes;
	size_t to_vnc_sent;
};

void web_relays_init(struct web_relays *relays, sd_event *event)
{
	*relays = (struct web_relays){.event = event};
	TAILQ_INIT(&relays->list);
}

void web_relays_end(struct web_relays *relays)
{
	struct web_relay *relay;

	while ((relay = TAILQ_FIRST(&relays->list))) {
		if (relay->handle) {
			web_relay_destroy(relay);
			continue;
		}
		TAILQ_REMOVE(&relays->list, relay, entry);
		relay->relays = NULL;
	}
	relays->n = 0;
}

int web_relay_create(struct web_relays *relays, int vnc, struct web_relay **ret)
{
	vgpu_autoclose int ours = vnc;
	int type = 0, domain = 0;
	socklen_t bytes = sizeof(int);
	struct web_relay *relay;

	if (getsockopt(vnc, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0 ||
	    getsockopt(vnc, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) < 0)
		return -ENOTSOCK;
	if (type != SOCK_STREAM ||
	    (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6))
		return -ENOTSOCK;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return -ENOMEM;
	relay->relays = relays;
	relay->vnc = vgpu_steal_fd(&ours);
	relay->web = -1;
	TAILQ_INSERT_TAIL(&relays->list, relay, entry);
	relays->n++;
	*ret = relay;
	return 0;
}

void web_relay_destroy(struct web_relay *relay)
{
	if (!relay)
		return;
	if (relay->relays) {
		TAILQ_REMOVE(&relay->relays->list, relay, entry);
		relay->relays->n--;
	}
	sd_event_source_disable_unref(relay->web_io);
	sd_event_source_disable_unref(relay->vnc_io);
	sd_event_source_disable_unref(relay->ping);
	if (relay->wslay)
		wslay_event_context_free(relay->wslay);
	vgpu_close(relay->vnc);
	if (relay->handle)
		MHD_upgrade_action(relay->handle, MHD_UPGRADE_ACTION_CLOSE);
	free(relay);
}

static bool is_behind(const struct web_relay *relay)
{
	return relay->to_vnc_bytes - relay->to_vnc_sent >= WAITING_BYTES;
}

static ssize_t read_web(wslay_event_context_ptr wslay, uint8_t *to,
			size_t bytes, int flags, void *opaque)
{
	struct web_relay *relay = opaque;
	size_t left = relay->extra_bytes - relay->extra_read;
	ssize_t n;

	if (is_behind(relay)) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (left > 0) {
		left = VGPU_MIN(left, bytes);
		memcpy(to, relay->extra + relay->extra_read, left);
		relay->extra_read += left;
		return (ssize_t)left;
	}
	do
		n = recv(relay->web, to, VGPU_MIN(bytes, (size_t)WSLAY_BYTES),
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	wslay_event_set_error(wslay, n < 0 && errno == EAGAIN
					     ? WSLAY_ERR_WOULDBLOCK
					     : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t write_web(wslay_event_context_ptr wslay, const uint8_t *from,
			 size_t bytes, int flags, void *opaque)
{
	struct web_relay *relay = opaque;
	ssize_t n;

	do
		n = send(relay->web, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	wslay_event_set_error(wslay, errno == EAGAIN
					     ? WSLAY_ERR_WOULDBLOCK
					     : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static void take_message(wslay_event_context_ptr wslay,
			 const struct wslay_event_on_msg_recv_arg *message,
			 void *opaque)
{
	struct web_relay *relay = opaque;
	size_t pending = relay->to_vnc_bytes - relay->to_vnc_sent;

	relay->is_alive = true;
	if (wslay_is_ctrl_frame(message->opcode))
		return;
	if (message->opcode != WSLAY_BINARY_FRAME ||
	    message->msg_length > sizeof(relay->to_vnc) - pending) {
		wslay_event_queue_close(wslay, WSLAY_CODE_UNSUPPORTED_DATA,
					NULL, 0);
		relay->is_over = true;
		return;
	}
	memmove(relay->to_vnc, relay->to_vnc + relay->to_vnc_sent, pending);
	if (message->msg_length > 0) /* else it may be NULL */
		memcpy(relay->to_vnc + pending, message->msg,
		       message->msg_length);
	relay->to_vnc_bytes = pending + message->msg_length;
	relay->to_vnc_sent = 0;
}

/* Both return false when it is over. */
static bool write_vnc(struct web_relay *relay)
{
	while (relay->to_vnc_sent < relay->to_vnc_bytes) {
		ssize_t n = send(relay->vnc, relay->to_vnc + relay->to_vnc_sent,
				 relay->to_vnc_bytes - relay->to_vnc_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		relay->to_vnc_sent += (size_t)n;
	}
	return true;
}

static bool read_vnc(struct web_relay *relay)
{
	static uint8_t bytes[READ_BYTES]; /* wslay copies it */
	struct wslay_event_msg message = {.opcode = WSLAY_BINARY_FRAME,
					  .msg = bytes};
	ssize_t n = recv(relay->vnc, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0) {
		wslay_event_queue_close(relay->wslay, WSLAY_CODE_GOING_AWAY,
					NULL, 0);
		relay->is_over = true;
		return true;
	}
	message.msg_length = (size_t)n;
	return wslay_event_queue_msg(relay->wslay, &message) == 0;
}

/* Nothing at all to wait for: that it hung up would be said again and again. */
static int set_events(sd_event_source *source, uint32_t events)
{
	int r = sd_event_source_set_io_events(source, events);

	return r < 0 ? r
		     : sd_event_source_set_enabled(
			       source, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* Wait for what can go on. False: it cannot be waited for. */
static bool update(struct web_relay *relay)
{
	bool is_sending = wslay_event_want_write(relay->wslay);
	bool is_waiting = relay->to_vnc_sent < relay->to_vnc_bytes;

	return set_events(relay->web_io,
			  (is_sending ? EPOLLOUT : 0) |
				  (is_behind(relay) ? 0 : EPOLLIN)) >= 0 &&
	       set_events(relay->vnc_io, (is_waiting ? EPOLLOUT : 0) |
						 (is_sending ? 0 : EPOLLIN)) >= 0;
}

static void go_on(struct web_relay *relay, bool is_well)
{
	is_well = is_well && write_vnc(relay);
	/* That it ends is said, if there is room for it. */
	is_well = is_well && wslay_event_send(relay->wslay) == 0;
	/* After a broken frame wslay reads no more, and what comes stays unread. */
	if (!is_well || relay->is_over ||
	    !wslay_event_get_read_enabled(relay->wslay) ||
	    wslay_event_get_close_received(relay->wslay) || !update(relay))
		web_relay_destroy(relay);
}

static int on_web(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	struct web_relay *relay = opaque;

	go_on(relay,
	      wslay_event_recv(relay->wslay) == 0 && !(revents & EPOLLERR));
	return 0;
}

static int on_vnc(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	struct web_relay *relay = opaque;
	bool is_well = true;

	if (!wslay_event_want_write(relay->wslay))
		is_well = read_vnc(relay);
	/* There may be room now for what was left unread. */
	is_well = is_well && write_vnc(relay) &&
		  wslay_event_recv(relay->wslay) == 0;
	go_on(relay, is_well);
	return 0;
}

static int on_ping(sd_event_source *source, uint64_t usec, void *opaque)
{
	const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
	struct web_relay *relay = opaque;
	bool is_well = relay->is_alive;

	relay->is_alive = false;
	is_well = is_well && wslay_event_queue_msg(relay->wslay, &ping) == 0 &&
		  sd_event_source_set_time_relative(source, WEB_PING_USEC) >= 0 &&
		  sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0;
	go_on(relay, is_well);
	return 0;
}

static bool start(struct web_relay *relay)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = read_web,
		.send_callback = write_web,
		.on_msg_recv_callback = take_message,
	};
	sd_event *event = relay->relays->event;

	if (wslay_event_context_server_init(&relay->wslay, &callbacks, relay) != 0)
		return false;
	wslay_event_config_set_max_recv_msg_length(relay->wslay,
						   WEB_MESSAGE_BYTES_MAX);
	relay->is_alive = true;
	return sd_event_add_io(event, &relay->web_io, relay->web, EPOLLIN,
			       on_web, relay) >= 0 &&
	       sd_event_add_io(event, &relay->vnc_io, relay->vnc, EPOLLIN,
			       on_vnc, relay) >= 0 &&
	       sd_event_add_time_relative(event, &relay->ping, CLOCK_MONOTONIC,
					  WEB_PING_USEC, 0, on_ping, relay) >= 0;
}

void web_relay_begin(struct web_relay *relay,
		     struct MHD_UpgradeResponseHandle *handle, int socket,
		     const char *extra, size_t extra_bytes)
{
	relay->handle = handle;
	relay->web = socket;
	if (!relay->relays || extra_bytes > sizeof(relay->extra) ||
	    !start(relay)) {
		web_relay_destroy(relay);
		return;
	}
	if (extra_bytes > 0)
		memcpy(relay->extra, extra, extra_bytes);
	relay->extra_bytes = extra_bytes;
	go_on(relay, wslay_event_recv(relay->wslay) == 0);
}
