/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small HTTP server: GET, one request for each connection. */
#include "ctl/exporter/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/common/listen.h"
#include "lib/util.h"

#define LISTENERS_MAX 8
#define USEC_PER_S    1000000ULL
#define ACCEPTS_PER_S 1000

/*
 *   READING -- the request is whole, or wrong --> WRITING -- all is sent --> gone
 *      |                                             |
 *      +------- it leaves, or its time is over ------+---------------------> gone
 */
struct client {
	TAILQ_ENTRY(client) entry;
	struct exporter_server *server;
	int fd;
	sd_event_source *io;
	sd_event_source *timer;
	char request[EXPORTER_REQUEST_BYTES_MAX + 1];
	size_t request_bytes;
	bool is_writing;
	char head[512]; /* of the answer, and its text if that is ours */
	size_t head_bytes;
	struct exporter_text *body; /* or NULL */
	size_t sent;
};

TAILQ_HEAD(clients, client);

struct exporter_server {
	sd_event *event;
	struct exporter_scrape *scrape;
	struct clients clients;
	unsigned int n_clients;
	sd_event_source *listener[LISTENERS_MAX];
	unsigned int n_listeners;
};

static void drop_client(struct client *client)
{
	TAILQ_REMOVE(&client->server->clients, client, entry);
	client->server->n_clients--;
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->timer);
	exporter_text_unref(client->body);
	vgpu_close(client->fd);
	free(client);
}

static void answer(struct client *client, const char *status, const char *type,
		   const char *text, bool has_text)
{
	size_t bytes = client->body ? client->body->bytes : strlen(text);
	int n = snprintf(client->head, sizeof(client->head),
			 "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n"
			 "X-Content-Type-Options: nosniff\r\n%s\r\n%s",
			 status, type, bytes,
			 strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n"
							: "",
			 has_text && !client->body ? text : "");

	client->head_bytes = VGPU_MIN((size_t)n, sizeof(client->head) - 1);
	if (!has_text) {
		exporter_text_unref(client->body);
		client->body = NULL;
	}
	client->is_writing = true;
}

static void refuse(struct client *client, const char *status)
{
	char text[80];

	snprintf(text, sizeof(text), "%s\n", status);
	answer(client, status, "text/plain; charset=utf-8", text, true);
}

/* The request line is "METHOD TARGET HTTP/1.x". */
static void handle(struct client *client)
{
	char *method = client->request, *line_end, *target, *version;
	bool is_head;

	line_end = method + strcspn(method, "\r\n");
	*line_end = '\0';
	target = strchr(method, ' ');
	version = target ? strchr(target + 1, ' ') : NULL;
	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0) {
		refuse(client, "400 Bad Request");
		return;
	}
	*target++ = '\0';
	*version = '\0';
	target[strcspn(target, "?")] = '\0';
	is_head = strcmp(method, "HEAD") == 0;
	if (!is_head && strcmp(method, "GET") != 0) {
		refuse(client, "405 Method Not Allowed");
	} else if (strcmp(target, "/") == 0) {
		answer(client, "200 OK", "text/html; charset=utf-8",
		       "<title>vgpu-exporter</title><a href=\"/metrics\">metrics</a>\n",
		       !is_head);
	} else if (strcmp(target, "/metrics") == 0) {
		client->body = exporter_scrape(client->server->scrape);
		if (client->body)
			answer(client, "200 OK",
			       "text/plain; version=0.0.4; charset=utf-8", "",
			       !is_head);
		else
			refuse(client, "503 Service Unavailable");
	} else {
		refuse(client, "404 Not Found");
	}
}

/* Returns whether the client is still there. */
static bool read_request(struct client *client)
{
	size_t room = EXPORTER_REQUEST_BYTES_MAX - client->request_bytes;
	ssize_t n = recv(client->fd, client->request + client->request_bytes,
			 room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	client->request_bytes += (size_t)n;
	client->request[client->request_bytes] = '\0';
	if (memchr(client->request, '\0', client->request_bytes))
		refuse(client, "400 Bad Request");
	else if (strstr(client->request, "\r\n\r\n") ||
		 strstr(client->request, "\n\n"))
		handle(client);
	else if (client->request_bytes == EXPORTER_REQUEST_BYTES_MAX)
		refuse(client, "431 Request Header Fields Too Large");
	if (client->is_writing)
		sd_event_source_set_io_events(client->io, EPOLLOUT);
	return true;
}

/* Returns whether there is more to send, and somebody to send it to. */
static bool write_answer(struct client *client)
{
	size_t body_bytes = client->body ? client->body->bytes : 0;
	const char *from;
	size_t left;
	ssize_t n;

	if (client->sent < client->head_bytes) {
		from = client->head + client->sent;
		left = client->head_bytes - client->sent;
	} else {
		size_t at = client->sent - client->head_bytes;

		if (!body_bytes)
			return false;
		from = client->body->text + at;
		left = body_bytes - at;
	}
	n = send(client->fd, from, left, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += (size_t)n;
	return client->sent < client->head_bytes + body_bytes;
}

/* What was sent and not read would have the answer thrown away with us. */
static void close_gently(struct client *client)
{
	char rest[4096];

	shutdown(client->fd, SHUT_WR);
	while (recv(client->fd, rest, sizeof(rest), MSG_DONTWAIT) ==
	       (ssize_t)sizeof(rest))
		;
	drop_client(client);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents,
		     void *opaque)
{
	struct client *client = opaque;

	if (!client->is_writing) {
		if (!read_request(client))
			drop_client(client);
	} else if (revents & (EPOLLERR | EPOLLHUP)) {
		drop_client(client);
	} else if (!write_answer(client)) {
		close_gently(client);
	}
	return 0;
}

/* A client that has got nothing yet is told why it gets nothing. */
static int on_late(sd_event_source *source, uint64_t usec, void *opaque)
{
	static const char late[] =
		"HTTP/1.1 408 Request Timeout\r\n"
		"Content-Length: 0\r\nConnection: close\r\n\r\n";
	struct client *client = opaque;

	if (!client->is_writing)
		send(client->fd, late, sizeof(late) - 1,
		     MSG_NOSIGNAL | MSG_DONTWAIT);
	drop_client(client);
	return 0;
}

static int add_client(struct exporter_server *server, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->server = server;
	client->fd = fd;
	TAILQ_INSERT_TAIL(&server->clients, client, entry);
	server->n_clients++;
	r = sd_event_add_io(server->event, &client->io, fd, EPOLLIN, on_client,
			    client);
	if (r >= 0)
		r = sd_event_add_time_relative(
			server->event, &client->timer, CLOCK_MONOTONIC,
			EXPORTER_CLIENT_MAX_USEC, 0, on_late, client);
	if (r < 0) {
		client->fd = -1; /* it stays the caller's */
		drop_client(client);
	}
	return r;
}

/* Whoever has not asked yet makes room: slow clients keep nobody out. */
static void make_room(struct exporter_server *server)
{
	struct client *client;

	if (server->n_clients < EXPORTER_CLIENTS_MAX)
		return;
	TAILQ_FOREACH(client, &server->clients, entry)
	if (!client->is_writing) {
		on_late(NULL, 0, client);
		return;
	}
}

int exporter_server_add(struct exporter_server *server, int fd)
{
	static const char busy[] =
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n"
		"Content-Length: 21\r\nConnection: close\r\n\r\n"
		"too many connections\n";
	vgpu_autoclose int client = fd;
	int r = -EBUSY;

	make_room(server);
	if (server->n_clients >= EXPORTER_CLIENTS_MAX)
		send(client, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
	else
		r = add_client(server, client);
	if (r >= 0)
		vgpu_steal_fd(&client);
	return VGPU_MIN(r, 0);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* Whatever it is that is short now: the next one may have it. */
	if (client >= 0)
		exporter_server_add(opaque, client);
	return 0;
}

int exporter_server_create(sd_event *event, struct exporter_scrape *scrape,
			   struct exporter_server **ret_server)
{
	struct exporter_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->event = event;
	server->scrape = scrape;
	TAILQ_INIT(&server->clients);
	*ret_server = server;
	return 0;
}

void exporter_server_destroy(struct exporter_server *server)
{
	if (!server)
		return;
	while (!TAILQ_EMPTY(&server->clients))
		drop_client(TAILQ_FIRST(&server->clients));
	for (unsigned int i = 0; i < server->n_listeners; i++)
		sd_event_source_disable_unref(server->listener[i]);
	free(server);
}

int exporter_server_listen(struct exporter_server *server, int fd)
{
	int r;

	if (server->n_listeners == LISTENERS_MAX) {
		vgpu_close(fd);
		return -E2BIG;
	}
	r = ctl_listen_watch(server->event, fd, ACCEPTS_PER_S, on_connect,
			     server, &server->listener[server->n_listeners]);
	if (r >= 0)
		server->n_listeners++;
	return r;
}
