/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request that an agent answers, and the response that is made of it. */
#include "ctl/web/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/common/number.h"
#include "lib/util.h"

/* RFC 6455, 1.3 */
#define WEBSOCKET_UUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define HEADS_MAX      64
#define SEALS	       (F_SEAL_WRITE | F_SEAL_SHRINK)

struct web_exchange {
	struct MHD_Connection *connection;
	enum vgpu_web_type type; /* what was asked; 0: nothing */
	struct web_session *session;
	bool is_answered;
	bool is_console;
	int fd;			 /* of the answer, or -1 */
	struct web_relay *relay; /* until it begins */
	char why[sizeof(((struct vgpu_web_message *)NULL)->text)];
	char key[WEB_KEY_SIZE];
	char body[WEB_BODY_MAX + 1];
	size_t body_bytes;
};

struct web_exchange *web_exchange_create(struct MHD_Connection *connection)
{
	struct web_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->connection = connection;
	exchange->fd = -1;
	return exchange;
}

void web_exchange_destroy(struct web_exchange *exchange)
{
	if (!exchange)
		return;
	web_relay_destroy(exchange->relay);
	vgpu_close(exchange->fd);
	explicit_bzero(exchange->body, sizeof(exchange->body));
	free(exchange);
}

bool web_exchange_is_answered(const struct web_exchange *exchange)
{
	return exchange->is_answered;
}

bool web_exchange_is_console(const struct web_exchange *exchange)
{
	return exchange->is_console;
}

char *web_exchange_body(struct web_exchange *exchange)
{
	return exchange->body;
}

bool web_exchange_add_body(struct web_exchange *exchange, const char *data,
			   size_t bytes)
{
	if (bytes > WEB_BODY_MAX - exchange->body_bytes)
		return false;
	memcpy(exchange->body + exchange->body_bytes, data, bytes);
	exchange->body_bytes += bytes;
	return true;
}

/* The session may have ended: from now on nothing of it is used but its relay. */
static void on_answer(void *opaque, int fd, const char *why)
{
	struct web_exchange *exchange = opaque;

	exchange->is_answered = true;
	exchange->fd = fd;
	snprintf(exchange->why, sizeof(exchange->why), "%s", why);
	if (fd >= 0 && exchange->type == VGPU_WEB_VNC) {
		exchange->fd = -1;
		if (web_relay_create(web_session_relays(exchange->session), fd,
				     &exchange->relay) < 0)
			snprintf(exchange->why, sizeof(exchange->why),
				 "its agent sent no socket");
	}
	exchange->session = NULL;
	MHD_resume_connection(exchange->connection);
}

/* False: the query names none. */
static bool read_head(struct MHD_Connection *connection, const char **ret_vgpu,
		      uint32_t *ret_head)
{
	const char *vgpu = MHD_lookup_connection_value(
		connection, MHD_GET_ARGUMENT_KIND, "vgpu");
	const char *head = MHD_lookup_connection_value(
		connection, MHD_GET_ARGUMENT_KIND, "head");

	if (!vgpu || !vgpu_uuid_has_form(vgpu) || !head ||
	    !ctl_number_parse(head, ret_head) || *ret_head >= HEADS_MAX)
		return false;
	*ret_vgpu = vgpu;
	return true;
}

unsigned int web_exchange_ask(struct web_exchange *exchange,
			      struct web_session *session,
			      enum vgpu_web_type type, const char *key)
{
	const char *vgpu = "";
	uint32_t head = 0;

	if (type != VGPU_WEB_LIST &&
	    !read_head(exchange->connection, &vgpu, &head))
		return MHD_HTTP_BAD_REQUEST;
	if (type == VGPU_WEB_VNC &&
	    web_session_relays(session)->n >= WEB_RELAYS_MAX)
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	exchange->type = type;
	exchange->session = session;
	snprintf(exchange->key, sizeof(exchange->key), "%s", key);
	if (web_session_ask(session, type, vgpu, head, on_answer, exchange) < 0)
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	MHD_suspend_connection(exchange->connection);
	return 0;
}

static struct MHD_Response *respond_text(const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Content-Type",
					"text/plain; charset=utf-8");
	return response;
}

/*
 * Only a memfd can be sealed: nothing else, as a file of FUSE or a pipe, can
 * keep us waiting, and nobody can cut it off while it is sent.
 */
static bool is_file(int fd, off_t bytes_max, size_t *ret_bytes)
{
	struct stat file;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &file) < 0 ||
	    file.st_size <= 0 || file.st_size > bytes_max)
		return false;
	*ret_bytes = (size_t)file.st_size;
	return true;
}

static struct MHD_Response *respond_file(struct web_exchange *exchange,
					 unsigned int *ret_status)
{
	bool is_picture = exchange->type == VGPU_WEB_PICTURE;
	struct MHD_Response *response;
	size_t bytes;

	if (!is_file(exchange->fd,
		     is_picture ? VGPU_WEB_PICTURE_BYTES_MAX
				: VGPU_WEB_LIST_BYTES_MAX,
		     &bytes))
		return respond_text("its agent sent no file\n");
	response = MHD_create_response_from_fd(bytes, exchange->fd);
	if (!response)
		return NULL;
	exchange->fd = -1; /* the response's */
	MHD_add_response_header(response, "Content-Type",
				is_picture ? "image/png" : "application/json");
	*ret_status = MHD_HTTP_OK;
	return response;
}

static void on_upgrade(void *opaque, struct MHD_Connection *connection,
		       void *request, const char *extra, size_t extra_bytes,
		       MHD_socket socket,
		       struct MHD_UpgradeResponseHandle *handle)
{
	struct web_exchange *exchange = opaque;
	struct web_relay *relay = vgpu_steal(&exchange->relay);

	exchange->is_console = true;
	web_relay_begin(relay, handle, socket, extra, extra_bytes);
}

static struct MHD_Response *respond_websocket(struct web_exchange *exchange)
{
	struct MHD_Response *response =
		MHD_create_response_for_upgrade(on_upgrade, exchange);
	char accept[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1] = "";
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha1;

	if (!response)
		return NULL;
	sha1_init(&sha1);
	sha1_update(&sha1, strlen(exchange->key), (uint8_t *)exchange->key);
	sha1_update(&sha1, strlen(WEBSOCKET_UUID), (uint8_t *)WEBSOCKET_UUID);
	sha1_digest(&sha1, sizeof(digest), digest);
	base64_encode_raw(accept, sizeof(digest), digest);
	MHD_add_response_header(response, "Upgrade", "websocket");
	MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
	return response;
}

struct MHD_Response *web_exchange_respond(struct web_exchange *exchange,
					  unsigned int *ret_status)
{
	struct MHD_Response *response;

	*ret_status = MHD_HTTP_BAD_GATEWAY;
	if (exchange->relay) {
		response = respond_websocket(exchange);
		*ret_status = MHD_HTTP_SWITCHING_PROTOCOLS;
	} else if (exchange->fd >= 0) {
		response = respond_file(exchange, ret_status);
	} else {
		response = respond_text(exchange->why);
	}
	return response;
}
