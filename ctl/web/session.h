/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: each a browser, and the vgpuctl that acts for it. */
#ifndef VGPU_CTL_WEB_SESSION_H
#define VGPU_CTL_WEB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "ctl/common/web_abi.h"
#include "ctl/web/relay.h"
#include "lib/name.h"

/* At a time, of all users and of one. */
#define WEB_SESSIONS_MAX	 64
#define WEB_SESSIONS_OF_USER_MAX 16
/* Of one session: what was asked and not answered yet, and its consoles. */
#define WEB_QUESTIONS_MAX 32
#define WEB_RELAYS_MAX	  8
/* A link that nobody used is none any more; a session ends. */
#define WEB_LINK_USEC	 (5 * 60 * 1000 * 1000ULL)
#define WEB_SESSION_USEC (12 * 60 * 60 * 1000 * 1000ULL)
/* An agent that takes longer is gone. */
#define WEB_ANSWER_USEC (120 * 1000 * 1000ULL)

struct web_sessions;
struct web_session;

/* @fd is the callee's; -1: there is none, and @why says why. */
typedef void (*web_answered)(void *opaque, int fd, const char *why);

/* @url: of the page, without a slash at its end; a copy is kept. */
int web_sessions_create(sd_event *event, const char *url,
			struct web_sessions **ret);
void web_sessions_destroy(struct web_sessions *sessions); /* NULL is fine */
/* Take agents from @fd, a listening socket of packets, which is taken over. */
int web_sessions_listen(struct web_sessions *sessions, int fd);

/* Of a cookie's value; NULL: of none. */
struct web_session *web_session_find(struct web_sessions *sessions,
				     const char *cookie);
/* Use a link, once. Returns its session, or NULL. */
struct web_session *web_session_log_in(struct web_sessions *sessions,
				       const char *token);
const char *web_session_cookie(const struct web_session *session);
/* What to show first: *ret_head of the vGPU returned; "": all there are. */
const char *web_session_start(const struct web_session *session,
			      uint32_t *ret_head);
/* End it. Whoever waits is answered, and its consoles end. */
void web_session_end(struct web_session *session);

/*
 * Ask the agent. @answered is called once, later. Returns 0, or -EBUSY if too
 * much is asked already, or -errno; then it is never called.
 */
int web_session_ask(struct web_session *session, enum vgpu_web_type type,
		    const char *vgpu, uint32_t head, web_answered answered,
		    void *opaque);
/* Its consoles. */
struct web_relays *web_session_relays(struct web_session *session);

#endif
