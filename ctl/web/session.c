/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: each a browser, and the vgpuctl that acts for it. */
#include "ctl/web/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/common/listen.h"
#include "lib/fds.h"
#include "lib/util.h"

#define USEC_PER_S 1000000ULL
/* An agent says at once who it is. */
#define HELLO_USEC    (5 * USEC_PER_S)
#define ACCEPTS_PER_S 100
#define SECRET_BYTES  32
#define SECRET_SIZE   (2 * SECRET_BYTES + 1) /* in hex */

struct question {
	TAILQ_ENTRY(question) entry;
	struct web_session *session;
	uint32_t id;
	sd_event_source *timer;
	web_answered answered;
	void *opaque;
};

/*
 *   CONNECTED -- HELLO --> INVITED -- the link is used --> OPEN
 *       |                     |                              |
 *       +---- its time is over, or the agent leaves ---------+--> gone
 */
enum state { CONNECTED, INVITED, OPEN };

struct web_session {
	TAILQ_ENTRY(web_session) entry;
	struct web_sessions *sessions;
	enum state state;
	int fd;
	uid_t uid;
	sd_event_source *io;
	sd_event_source *timer;
	char token[SECRET_SIZE];
	char cookie[SECRET_SIZE];
	char vgpu[VGPU_UUID_SIZE];
	uint32_t head;
	uint32_t next_id;
	unsigned int n_questions;
	TAILQ_HEAD(question_list, question) questions;
	struct web_relays relays;
};

struct web_sessions {
	sd_event *event;
	char *url;
	sd_event_source *listener;
	TAILQ_HEAD(web_session_list, web_session) list;
};

/* In a time that says nothing of where they differ. */
static bool is_secret(const char *ours, const char *theirs)
{
	unsigned char differ = 0;

	if (strlen(theirs) != SECRET_SIZE - 1 || !ours[0])
		return false;
	for (size_t i = 0; i < SECRET_SIZE - 1; i++)
		differ |= (unsigned char)(ours[i] ^ theirs[i]);
	return differ == 0;
}

static int make_secret(char ret[SECRET_SIZE])
{
	uint8_t bytes[SECRET_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void end_question(struct question *question, int fd, const char *why)
{
	struct web_session *session = question->session;

	TAILQ_REMOVE(&session->questions, question, entry);
	session->n_questions--;
	sd_event_source_disable_unref(question->timer);
	question->answered(question->opaque, fd, why);
	free(question);
}

void web_session_end(struct web_session *session)
{
	TAILQ_REMOVE(&session->sessions->list, session, entry);
	sd_event_source_disable_unref(session->io);
	sd_event_source_disable_unref(session->timer);
	vgpu_close(session->fd);
	while (!TAILQ_EMPTY(&session->questions))
		end_question(TAILQ_FIRST(&session->questions), -1,
			     "the session has ended");
	web_relays_end(&session->relays);
	explicit_bzero(session->cookie, sizeof(session->cookie));
	free(session);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *opaque)
{
	web_session_end(opaque);
	return 0;
}

static int set_timer(struct web_session *session, uint64_t usec)
{
	session->timer = sd_event_source_disable_unref(session->timer);
	return sd_event_add_time_relative(session->sessions->event,
					  &session->timer, CLOCK_MONOTONIC,
					  usec, 0, on_timer, session);
}

static bool send_message(struct web_session *session,
			 const struct vgpu_web_message *message)
{
	return send(session->fd, message, sizeof(*message),
		    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*message);
}

/* False: it is no agent that we understand. */
static bool greet(struct web_session *session,
		  const struct vgpu_web_message *hello)
{
	struct vgpu_web_message link = {.type = VGPU_WEB_LINK};

	if (hello->type != VGPU_WEB_HELLO || hello->id != VGPU_WEB_VERSION ||
	    (hello->text[0] && !vgpu_uuid_has_form(hello->text)) ||
	    make_secret(session->token) < 0 ||
	    set_timer(session, WEB_LINK_USEC) < 0)
		return false;
	snprintf(session->vgpu, sizeof(session->vgpu), "%.*s", VGPU_UUID_LENGTH,
		 hello->text);
	session->head = hello->head;
	session->state = INVITED;
	/* What follows '#' stays in the browser: in no log, and no Referer. */
	snprintf(link.text, sizeof(link.text), "%s/login#%s",
		 session->sessions->url, session->token);
	return send_message(session, &link);
}

static void take_answer(struct web_session *session,
			const struct vgpu_web_message *message, int fd)
{
	vgpu_autoclose int ours = fd;
	struct question *question;

	TAILQ_FOREACH(question, &session->questions, entry)
	{
		if (question->id == message->id) {
			end_question(question, vgpu_steal_fd(&ours),
				     message->text);
			return;
		}
	}
}

static int on_agent(sd_event_source *source, int fd, uint32_t revents,
		    void *opaque)
{
	struct web_session *session = opaque;
	struct vgpu_web_message message;
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = space,
				.msg_controllen = sizeof(space)};
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int got = -1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n >= 0)
		vgpu_fds_take(&header, &got, 1);
	if (n != sizeof(message) || (header.msg_flags & MSG_TRUNC) ||
	    !memchr(message.text, '\0', sizeof(message.text))) {
		vgpu_close(got);
		web_session_end(session);
	} else if (session->state != CONNECTED &&
		   message.type == VGPU_WEB_ANSWER) {
		take_answer(session, &message, got);
	} else {
		vgpu_close(got);
		if (session->state != CONNECTED || !greet(session, &message))
			web_session_end(session);
	}
	return 0;
}

static bool has_room(struct web_sessions *sessions, uid_t uid)
{
	unsigned int n = 0, of_user = 0;
	struct web_session *session;

	TAILQ_FOREACH(session, &sessions->list, entry)
	{
		n++;
		if (session->uid == uid)
			of_user++;
	}
	return n < WEB_SESSIONS_MAX && of_user < WEB_SESSIONS_OF_USER_MAX;
}

static void refuse_agent(int fd)
{
	const struct vgpu_web_message message = {.type = VGPU_WEB_ANSWER,
						 .text = "too many sessions"};

	send(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int add_session(struct web_sessions *sessions, int *fd, uid_t uid)
{
	struct web_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	session->sessions = sessions;
	session->fd = vgpu_steal_fd(fd);
	session->uid = uid;
	TAILQ_INIT(&session->questions);
	web_relays_init(&session->relays, sessions->event);
	TAILQ_INSERT_TAIL(&sessions->list, session, entry);
	r = sd_event_add_io(sessions->event, &session->io, session->fd, EPOLLIN,
			    on_agent, session);
	if (r >= 0)
		r = set_timer(session, HELLO_USEC);
	if (r < 0)
		web_session_end(session);
	return r;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	vgpu_autoclose int agent =
		accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (agent < 0 ||
	    getsockopt(agent, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return 0;
	if (!has_room(opaque, peer.uid))
		refuse_agent(agent);
	else
		add_session(opaque, &agent, peer.uid);
	return 0;
}

int web_sessions_create(sd_event *event, const char *url,
			struct web_sessions **ret)
{
	struct web_sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return -ENOMEM;
	sessions->event = event;
	TAILQ_INIT(&sessions->list);
	sessions->url = strdup(url);
	if (!sessions->url) {
		free(sessions);
		return -ENOMEM;
	}
	*ret = sessions;
	return 0;
}

void web_sessions_destroy(struct web_sessions *sessions)
{
	if (!sessions)
		return;
	while (!TAILQ_EMPTY(&sessions->list))
		web_session_end(TAILQ_FIRST(&sessions->list));
	sd_event_source_disable_unref(sessions->listener);
	free(sessions->url);
	free(sessions);
}

int web_sessions_listen(struct web_sessions *sessions, int fd)
{
	if (sessions->listener) {
		vgpu_close(fd);
		return -E2BIG;
	}
	return ctl_listen_watch(sessions->event, fd, ACCEPTS_PER_S, on_connect,
				sessions, &sessions->listener);
}

struct web_session *web_session_find(struct web_sessions *sessions,
				     const char *cookie)
{
	struct web_session *session;

	TAILQ_FOREACH(session, &sessions->list, entry)
	{
		if (session->state == OPEN && is_secret(session->cookie, cookie))
			return session;
	}
	return NULL;
}

struct web_session *web_session_log_in(struct web_sessions *sessions,
				       const char *token)
{
	const struct vgpu_web_message opened = {.type = VGPU_WEB_OPENED};
	struct web_session *session;

	TAILQ_FOREACH(session, &sessions->list, entry)
	{
		if (session->state == INVITED && is_secret(session->token, token))
			break;
	}
	if (!session)
		return NULL;
	explicit_bzero(session->token, sizeof(session->token));
	session->state = OPEN;
	if (make_secret(session->cookie) < 0 ||
	    set_timer(session, WEB_SESSION_USEC) < 0 ||
	    !send_message(session, &opened)) {
		web_session_end(session);
		return NULL;
	}
	return session;
}

const char *web_session_cookie(const struct web_session *session)
{
	return session->cookie;
}

const char *web_session_start(const struct web_session *session,
			      uint32_t *ret_head)
{
	*ret_head = session->head;
	return session->vgpu;
}

struct web_relays *web_session_relays(struct web_session *session)
{
	return &session->relays;
}

/* It is stuck: whatever it holds is not to be had any more. */
static int on_no_answer(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct question *question = opaque;

	web_session_end(question->session);
	return 0;
}

int web_session_ask(struct web_session *session, enum vgpu_web_type type,
		    const char *vgpu, uint32_t head, web_answered answered,
		    void *opaque)
{
	struct vgpu_web_message message = {
		.type = type, .id = session->next_id, .head = head};
	struct question *question;
	int r;

	if (session->n_questions >= WEB_QUESTIONS_MAX)
		return -EBUSY;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	snprintf(message.text, sizeof(message.text), "%s", vgpu);
	question->session = session;
	question->id = session->next_id;
	question->answered = answered;
	question->opaque = opaque;
	r = sd_event_add_time_relative(session->sessions->event, &question->timer,
				       CLOCK_MONOTONIC, WEB_ANSWER_USEC, 0,
				       on_no_answer, question);
	if (r >= 0 && !send_message(session, &message))
		r = -EBUSY;
	if (r < 0) {
		sd_event_source_disable_unref(question->timer);
		free(question);
		return r;
	}
	session->next_id++;
	session->n_questions++;
	TAILQ_INSERT_TAIL(&session->questions, question, entry);
	return 0;
}
