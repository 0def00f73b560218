/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP: who may ask for what, by libmicrohttpd. */
#include "ctl/web/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/common/listen.h"
#include "ctl/web/exchange.h"
#include "lib/util.h"

#define LISTENERS_MAX 8
#define USEC_PER_S    1000000ULL
#define ACCEPTS_PER_S 1000
/* Of a request, all its headers included. */
#define REQUEST_BYTES_MAX (16 * 1024)
#define COOKIE		  "vgpu-web"
#define ORIGIN_SIZE	  300

/*
 * A page has nothing but our own files: no script, style or picture of a guest's
 * making could come from elsewhere, or from a name. noVNC makes pictures of data:.
 */
static const char *const headers[][2] = {
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; "
	 "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
	 "form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
};

struct client {
	TAILQ_ENTRY(client) entry;
	int fd; /* libmicrohttpd's */
	bool is_busy;
};

struct web_server {
	sd_event *event;
	struct MHD_Daemon *daemon;
	sd_event_source *io;
	struct web_files files;
	struct web_sessions *sessions;
	const char *url;
	TAILQ_HEAD(client_list, client) clients; /* the oldest first */
	unsigned int n_clients;
	sd_event_source *listener[LISTENERS_MAX];
	unsigned int n_listeners;
};

static struct client *find_client(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* All of a request is there, and an answer is due. */
static void set_busy(struct MHD_Connection *connection, bool is_busy)
{
	struct client *client = find_client(connection);

	if (client)
		client->is_busy = is_busy;
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
				     unsigned int status,
				     struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(headers); i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_text(struct MHD_Connection *connection,
				 unsigned int status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Content-Type",
					"text/plain; charset=utf-8");
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	return send_response(connection, status, response);
}

static const char *find_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Whether @host is @name, or that with a port. */
static bool is_host(const char *host, const char *name)
{
	size_t bytes = strlen(name);

	return strncasecmp(host, name, bytes) == 0 &&
	       (host[bytes] == '\0' || host[bytes] == ':');
}

/*
 * A page of another site whose name is made to be ours in the DNS has that name
 * in its requests.
 */
static bool is_for_us(struct web_server *server, struct MHD_Connection *connection)
{
	const char *host = find_header(connection, "Host");
	const char *slashes = strstr(server->url, "://");

	return host && (is_host(host, "localhost") ||
			is_host(host, "127.0.0.1") || is_host(host, "[::1]") ||
			(slashes && strcasecmp(host, slashes + 3) == 0));
}

/* Whether a page of ours, and no other, has made this request. */
static bool is_by_us(struct web_server *server, struct MHD_Connection *connection)
{
	const char *origin = find_header(connection, "Origin");
	char ours[ORIGIN_SIZE];
	int n;

	if (origin && strcasecmp(origin, server->url) == 0)
		return true;
	n = snprintf(ours, sizeof(ours), "http://%s",
		     find_header(connection, "Host"));
	return origin && (size_t)n < sizeof(ours) &&
	       strcasecmp(origin, ours) == 0;
}

static struct web_session *find_session(struct web_server *server,
					struct MHD_Connection *connection)
{
	const char *cookie =
		MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, COOKIE);

	return cookie ? web_session_find(server->sessions, cookie) : NULL;
}

static enum MHD_Result ask_to_log_in(struct MHD_Connection *connection)
{
	return send_text(connection, MHD_HTTP_UNAUTHORIZED,
			 "not logged in: make a link with 'vgpuctl console'\n");
}

static enum MHD_Result send_file(struct web_server *server,
				 struct MHD_Connection *connection,
				 const char *path)
{
	struct MHD_Response *response;
	const char *type;
	struct stat file;
	int fd = web_files_open(&server->files, path, &type);

	if (fd < 0)
		return send_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
	response =
		fstat(fd, &file) < 0
			? NULL
			: MHD_create_response_from_fd((size_t)file.st_size, fd);
	if (!response)
		vgpu_close(fd);
	else
		MHD_add_response_header(response, "Content-Type", type);
	return send_response(connection, MHD_HTTP_OK, response);
}

/* Answered with where to go. */
static enum MHD_Result log_in(struct web_server *server,
			      struct MHD_Connection *connection,
			      struct web_exchange *exchange)
{
	struct web_session *session =
		web_session_log_in(server->sessions, web_exchange_body(exchange));
	struct MHD_Response *response;
	char cookie[200], next[100] = "/";
	const char *vgpu;
	uint32_t head;

	if (!session)
		return send_text(connection, MHD_HTTP_FORBIDDEN,
				 "the link was used before, or is too old\n");
	vgpu = web_session_start(session, &head);
	if (vgpu[0])
		snprintf(next, sizeof(next), "/console?vgpu=%s&head=%u", vgpu,
			 head);
	snprintf(cookie, sizeof(cookie),
		 COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict%s",
		 web_session_cookie(session),
		 strncmp(server->url, "https:", 6) == 0 ? "; Secure" : "");
	response = MHD_create_response_from_buffer(strlen(next), next,
						   MHD_RESPMEM_MUST_COPY);
	if (response)
		MHD_add_response_header(response, "Set-Cookie", cookie);
	explicit_bzero(cookie, sizeof(cookie));
	return send_response(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result log_out(struct web_server *server,
			       struct MHD_Connection *connection)
{
	struct web_session *session = find_session(server, connection);

	if (session)
		web_session_end(session);
	return send_text(connection, MHD_HTTP_OK, "logged out\n");
}

/* Its key, or NULL: it is no WebSocket. */
static const char *read_key(struct MHD_Connection *connection)
{
	const char *upgrade = find_header(connection, "Upgrade");
	const char *joined = find_header(connection, "Connection");
	const char *version = find_header(connection, "Sec-WebSocket-Version");
	const char *key = find_header(connection, "Sec-WebSocket-Key");

	if (!upgrade || strcasecmp(upgrade, "websocket") != 0 || !joined ||
	    !strcasestr(joined, "upgrade") || !version ||
	    strcmp(version, "13") != 0 || !key || strlen(key) != WEB_KEY_SIZE - 1)
		return NULL;
	return key;
}

/* What is not answered at once is asked of the session's agent. */
static enum MHD_Result ask(struct web_server *server,
			   struct MHD_Connection *connection,
			   struct web_exchange *exchange, enum vgpu_web_type type)
{
	struct web_session *session = find_session(server, connection);
	const char *key = "";
	unsigned int status;

	if (!session)
		return ask_to_log_in(connection);
	if (type == VGPU_WEB_VNC) {
		if (!is_by_us(server, connection))
			return send_text(connection, MHD_HTTP_FORBIDDEN,
					 "that is for our own page\n");
		key = read_key(connection);
		if (!key)
			return send_text(connection, MHD_HTTP_UPGRADE_REQUIRED,
					 "that is a WebSocket\n");
	}
	status = web_exchange_ask(exchange, session, type, key);
	if (status)
		return send_text(connection, status,
				 status == MHD_HTTP_BAD_REQUEST
					 ? "which vGPU, and which head?\n"
					 : "busy\n");
	return MHD_YES;
}

static enum MHD_Result handle_get(struct web_server *server,
				  struct MHD_Connection *connection,
				  const char *path, struct web_exchange *exchange)
{
	if (strcmp(path, "/vgpus") == 0)
		return ask(server, connection, exchange, VGPU_WEB_LIST);
	if (strcmp(path, "/picture") == 0)
		return ask(server, connection, exchange, VGPU_WEB_PICTURE);
	if (strcmp(path, "/vnc") == 0)
		return ask(server, connection, exchange, VGPU_WEB_VNC);
	return send_file(server, connection, path);
}

static enum MHD_Result handle_post(struct web_server *server,
				   struct MHD_Connection *connection,
				   const char *path,
				   struct web_exchange *exchange)
{
	if (!is_by_us(server, connection))
		return send_text(connection, MHD_HTTP_FORBIDDEN,
				 "that is for our own page\n");
	if (strcmp(path, "/login") == 0)
		return log_in(server, connection, exchange);
	if (strcmp(path, "/logout") == 0)
		return log_out(server, connection);
	return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			 "not allowed\n");
}

/*
 * Called when the headers are there, then for each part of a body, and when all
 * of it is there; and once more when an agent has answered.
 */
static enum MHD_Result on_request(void *opaque, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *data,
				  size_t *bytes, void **request)
{
	struct web_exchange *exchange = *request;
	struct web_server *server = opaque;
	struct MHD_Response *response;
	unsigned int status;

	if (!exchange) {
		exchange = *request = web_exchange_create(connection);
		if (!exchange)
			return MHD_NO;
		if (!is_for_us(server, connection))
			return send_text(connection, MHD_HTTP_MISDIRECTED_REQUEST,
					 "this host is not called that\n");
		return MHD_YES;
	}
	if (*bytes > 0) {
		if (!web_exchange_add_body(exchange, data, *bytes))
			return MHD_NO;
		*bytes = 0;
		return MHD_YES;
	}
	set_busy(connection, true);
	if (web_exchange_is_answered(exchange)) {
		response = web_exchange_respond(exchange, &status);
		return send_response(connection, status, response);
	}
	if (strcmp(method, "POST") == 0)
		return handle_post(server, connection, path, exchange);
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		return handle_get(server, connection, path, exchange);
	return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			 "not allowed\n");
}

static void on_completed(void *opaque, struct MHD_Connection *connection,
			 void **request, enum MHD_RequestTerminationCode code)
{
	struct web_exchange *exchange = *request;

	/* A console has no more requests, and is not idle. */
	if (!exchange || !web_exchange_is_console(exchange))
		set_busy(connection, false);
	web_exchange_destroy(exchange);
	*request = NULL;
}

static void on_connection(void *opaque, struct MHD_Connection *connection,
			  void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct web_server *server = opaque;
	struct client *client = *context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (!client)
			return;
		TAILQ_REMOVE(&server->clients, client, entry);
		server->n_clients--;
		free(client);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	client = calloc(1, sizeof(*client));
	if (!client || !info) {
		free(client);
		return;
	}
	client->fd = info->connect_fd;
	TAILQ_INSERT_TAIL(&server->clients, client, entry);
	server->n_clients++;
	*context = client;
}

/* Slow clients, and those that only stay, keep nobody out. */
static void make_room(struct web_server *server)
{
	struct client *client;

	if (server->n_clients < WEB_CLIENTS_MAX)
		return;
	TAILQ_FOREACH(client, &server->clients, entry)
	{
		if (!client->is_busy) {
			shutdown(client->fd, SHUT_RDWR);
			MHD_run(server->daemon);
			return;
		}
	}
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct web_server *server = opaque;
	struct sockaddr_storage peer = {};
	socklen_t bytes = sizeof(peer);
	int client = accept4(fd, (struct sockaddr *)&peer, &bytes,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return 0;
	make_room(server);
	/* It closes what it does not take. */
	MHD_add_connection(server->daemon, client, (struct sockaddr *)&peer,
			   bytes);
	return 0;
}

/* All is done by MHD_run(), after each turn. */
static int on_daemon(sd_event_source *source, int fd, uint32_t revents,
		     void *opaque)
{
	return 0;
}

static void ignore_log(void *opaque, const char *format, va_list arguments)
{
}

static int start_daemon(struct web_server *server)
{
	const union MHD_DaemonInfo *info;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
		ignore_log, NULL, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)WEB_CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)(WEB_IDLE_USEC / USEC_PER_S),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, server, MHD_OPTION_END);
	info = server->daemon ? MHD_get_daemon_info(server->daemon,
						    MHD_DAEMON_INFO_EPOLL_FD)
			      : NULL;
	if (!info)
		return -EIO;
	return sd_event_add_io(server->event, &server->io, info->epoll_fd,
			       EPOLLIN, on_daemon, server);
}

int web_server_create(const struct web_server_config *config,
		      struct web_server **ret)
{
	struct web_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->event = config->event;
	server->files = config->files;
	server->sessions = config->sessions;
	server->url = config->url;
	TAILQ_INIT(&server->clients);
	r = start_daemon(server);
	if (r < 0) {
		web_server_destroy(server);
		return r;
	}
	*ret = server;
	return 0;
}

void web_server_destroy(struct web_server *server)
{
	if (!server)
		return;
	for (unsigned int i = 0; i < server->n_listeners; i++)
		sd_event_source_disable_unref(server->listener[i]);
	sd_event_source_disable_unref(server->io);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server);
}

int web_server_listen(struct web_server *server, int fd)
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

int web_server_run(struct web_server *server)
{
	int r = 0;

	while (r >= 0 && sd_event_get_state(server->event) != SD_EVENT_FINISHED) {
		MHD_UNSIGNED_LONG_LONG ms;
		uint64_t usec = UINT64_MAX;

		MHD_run(server->daemon);
		if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
			usec = ms * 1000;
		r = sd_event_run(server->event, usec);
	}
	return VGPU_MIN(r, 0);
}
