/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request that an agent answers, and the response that is made of it. */
#ifndef VGPU_CTL_WEB_EXCHANGE_H
#define VGPU_CTL_WEB_EXCHANGE_H

#include "ctl/web/session.h"

struct web_exchange;

/* For a request at @connection. NULL: out of memory. */
struct web_exchange *web_exchange_create(struct MHD_Connection *connection);
/* When the request is completed. NULL is fine. */
void web_exchange_destroy(struct web_exchange *exchange);

/*
 * Ask the agent of @session, and let the connection wait. A vGPU and a head are
 * what the request's query says, for @type VGPU_WEB_PICTURE and VGPU_WEB_VNC.
 * @key is the WebSocket's, for VGPU_WEB_VNC: at most WEB_KEY_SIZE with its 0
 * byte. Returns 0, or the status to refuse it with.
 */
#define WEB_KEY_SIZE 25
unsigned int web_exchange_ask(struct web_exchange *exchange,
			      struct web_session *session,
			      enum vgpu_web_type type, const char *key);

/*
 * What came is there: a response that is the caller's, and its status. NULL:
 * out of memory. @exchange lives on until a WebSocket has begun.
 */
struct MHD_Response *web_exchange_respond(struct web_exchange *exchange,
					  unsigned int *ret_status);
/* Whether something was asked, and is answered. */
bool web_exchange_is_answered(const struct web_exchange *exchange);
/* Whether a WebSocket has begun. */
bool web_exchange_is_console(const struct web_exchange *exchange);

/* The body of a request, which is bounded: a link's token. */
#define WEB_BODY_MAX 128
char *web_exchange_body(struct web_exchange *exchange); /* its own, ends with 0 */
/* False: there is too much of it. */
bool web_exchange_add_body(struct web_exchange *exchange, const char *data,
			   size_t bytes);

#endif
