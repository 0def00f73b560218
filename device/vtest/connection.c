/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vtest client's connection: reads commands, sends answers. */
#include "internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/peer.h"
#include "lib/util.h"

/* Commands of one client handled before others get a turn. */
#define TURN 32
/* How long a client may take until it asks for its context. */
#define SILENT_US (10 * 1000 * 1000ULL)
#define LATE_US	  (30 * 1000 * 1000ULL)
/*
 * How long a client whose context is lost keeps its memory to look at. Mesa
 * ends a program that waits for its ring some four seconds after it.
 */
#define LOST_US (30 * 1000 * 1000ULL)
/* A buffer larger than this is given back after use. */
#define BODY_BYTES_KEPT (64UL * 1024)

/* on_end() continues later: our callers may still use @c. */
static void enter_phase(struct connection *c, enum phase phase)
{
	c->phase = phase;
	sd_event_source_set_enabled(c->on_io, SD_EVENT_OFF);
	sd_event_source_set_enabled(c->on_end, SD_EVENT_ONESHOT);
}

void vgpu_connection_fault(struct connection *c, const char *fmt, ...)
{
	char text[VGPU_ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vgpu_vtest_fault(c->vtest, "client %" PRIu64 " (pid %d): %s", c->number,
			 (int)c->pid, text);
}

int vgpu_connection_end(struct connection *c, const char *fmt, ...)
{
	char text[VGPU_ERR_TEXT_MAX];
	va_list args;

	if (c->phase >= LOST)
		return -ECONNABORTED;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->vtest->errors++;
	vgpu_connection_fault(c, "%s", text);
	enter_phase(c, c->phase == SERVED ? LOST : OVER);
	return -ECONNABORTED;
}

/* The client has left, which is no fault. */
static void leave_client(struct connection *c)
{
	if (c->phase != OVER)
		enter_phase(c, OVER);
}

static void update_events(struct connection *c)
{
	uint32_t events = 0;

	if (c->has_answer)
		events = EPOLLOUT;
	else if (!c->held_resource && !c->is_capset_held && !c->is_drained)
		events = EPOLLIN;
	if (c->phase != OVER)
		sd_event_source_set_io_events(c->on_io, events);
}

static ssize_t send_rest(struct connection *c)
{
	ssize_t n = send(c->socket, c->answer + c->answer_sent,
			 c->answer_bytes - c->answer_sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		c->answer_sent += (size_t)n;
	return n;
}

static ssize_t send_byte(struct connection *c)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	if (c->answer_fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &c->answer_fd, sizeof(int));
	}
	n = sendmsg(c->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == 1) {
		c->answer_fd = vgpu_close(c->answer_fd);
		c->has_byte = false;
	}
	return n;
}

static void flush_answers(struct connection *c)
{
	while (c->has_answer && c->phase != OVER) {
		ssize_t n = c->answer_sent < c->answer_bytes ? send_rest(c)
							     : send_byte(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			leave_client(c);
		else if (n < 0)
			vgpu_connection_end(c, "cannot be answered: %s",
					    strerror(errno));
		c->has_answer = c->answer_sent < c->answer_bytes || c->has_byte;
	}
	update_events(c);
}

static void send_answer(struct connection *c, const uint32_t *words,
			size_t n_words, bool has_byte, int fd)
{
	const struct vtest_header header = {(uint32_t)n_words, c->header.command};

	/*
	 * Commands are handled one at a time: the last answer was sent long
	 * ago.
	 */
	memcpy(c->answer, &header, sizeof(header));
	if (n_words)
		memcpy(c->answer + sizeof(header), words,
		       n_words * sizeof(*words));
	c->answer_bytes = sizeof(header) + n_words * sizeof(*words);
	c->answer_sent = 0;
	c->answer_fd = fd;
	c->has_byte = has_byte;
	c->has_answer = true;
	c->owes_answer = false;
	flush_answers(c);
}

void vgpu_connection_answer(struct connection *c, const uint32_t *words,
			    size_t n_words, int fd)
{
	send_answer(c, words, n_words, /* has_byte= */ fd >= 0, fd);
}

void vgpu_connection_answer_no_fd(struct connection *c, const uint32_t *words,
				  size_t n_words)
{
	send_answer(c, words, n_words, /* has_byte= */ true, /* fd= */ -1);
}

/* Returns whether all of it is there. */
static bool receive_bytes(struct connection *c, void *buffer, size_t *bytes,
			  size_t size)
{
	while (*bytes < size) {
		struct iovec iov = {(char *)buffer + *bytes, size - *bytes};
		/* With no place for fds the kernel closes those that come. */
		struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = recvmsg(c->socket, &header, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n == 0 && c->phase == LOST) {
			c->is_drained = true; /* we let it send no more */
			return false;
		}
		if (n <= 0) {
			leave_client(c);
			return false;
		}
		if (header.msg_flags & MSG_CTRUNC) {
			vgpu_connection_end(c, "sends an fd");
			return false;
		}
		*bytes += (size_t)n;
	}
	return true;
}

static void free_body(struct connection *c)
{
	vgpu_host_memory_uncharge(c->vtest->host_memory, c->body_capacity);
	free(c->body);
	c->body = NULL;
	c->body_capacity = 0;
}

static bool make_room(struct connection *c)
{
	if (c->body_size > c->body_capacity) {
		struct vgpu_host_memory *memory = c->vtest->host_memory;
		size_t more = c->body_size - c->body_capacity;
		uint32_t *body = NULL;

		if (vgpu_host_memory_charge(memory, more)) {
			body = realloc(c->body, c->body_size);
			if (!body)
				vgpu_host_memory_uncharge(memory, more);
		}
		if (!body) {
			vgpu_connection_end(c, "no memory for its commands");
			return false;
		}
		c->body = body;
		c->body_capacity = c->body_size;
	}
	return true;
}

static bool receive_header(struct connection *c)
{
	if (c->header_bytes == sizeof(c->header))
		return true;
	if (!receive_bytes(c, &c->header, &c->header_bytes, sizeof(c->header)))
		return false;
	c->body_bytes = 0;
	if (vgpu_command_check(c, &c->body_size) >= 0 && make_room(c))
		return true;
	c->is_drained = true; /* what follows means nothing */
	return false;
}

/* Returns whether a command was handled. */
static bool step_client(struct connection *c)
{
	if (!receive_header(c) ||
	    !receive_bytes(c, c->body, &c->body_bytes, c->body_size))
		return false;
	c->header_bytes = 0;
	c->owes_answer = vgpu_command_is_answered(c);
	if (c->phase == LOST) {
		if (c->owes_answer)
			vgpu_command_refuse(c);
		return true;
	}
	c->vtest->commands++;
	vgpu_vtest_changed(c->vtest);
	if (vgpu_command_handle(c) < 0)
		return false;
	if (c->body_capacity > BODY_BYTES_KEPT)
		free_body(c);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	struct connection *c = opaque;

	if (revents & (EPOLLHUP | EPOLLERR)) {
		leave_client(c);
		return 0;
	}
	flush_answers(c);
	for (int i = 0; i < TURN && c->phase != OVER && !c->has_answer &&
			!c->held_resource && !c->is_capset_held;
	     i++)
		if (!step_client(c))
			break;
	update_events(c);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct connection *c = opaque;

	if (c->phase == NEW)
		vgpu_connection_end(c, "says nothing");
	else if (c->phase != LOST && c->is_last_call)
		vgpu_connection_end(c, "does not ask for a context");
	else if (c->phase == LOST || /* it had the time to leave */
		 sd_event_source_set_time_relative(source, LATE_US - SILENT_US) <
			 0 ||
		 sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0)
		leave_client(c);
	c->is_last_call = true;
	return 0;
}

static int wait_for_leave(struct connection *c)
{
	/* From now on its commands fail; watch only for its end. */
	if (shutdown(c->socket, SHUT_RD) < 0)
		return -errno;
	return sd_event_add_time_relative(c->vtest->event, &c->on_late,
					  CLOCK_MONOTONIC, LOST_US, 0, on_late,
					  c);
}

/*
 * The context of a client that maps memory of it is at an end. Its memory
 * stays as it is, and accounted for, until the client has gone: it may look
 * there for what is done, and must not find that all is.
 */
static void lose_context(struct connection *c)
{
	vgpu_render_end(c->render, "its client breaks a rule");
	vgpu_syncs_finish(&c->syncs);
	vgpu_syncs_init(&c->syncs, &c->fds);
	c->held_resource = 0;
	if (c->owes_answer)
		vgpu_command_refuse(c);
	if (wait_for_leave(c) < 0) {
		leave_client(c);
		return;
	}
	sd_event_source_set_enabled(c->on_io, SD_EVENT_ON);
	update_events(c);
}

static int on_end(sd_event_source *source, void *opaque)
{
	struct connection *c = opaque;

	if (c->phase == LOST)
		lose_context(c);
	else
		vgpu_connection_destroy(c);
	return 0;
}

static int add_sources(struct connection *c)
{
	sd_event *event = c->vtest->event;
	int r;

	r = sd_event_add_io(event, &c->on_io, c->socket, EPOLLIN, on_io, c);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &c->on_late,
					       CLOCK_MONOTONIC, SILENT_US, 0,
					       on_late, c);
	if (r >= 0)
		r = sd_event_add_defer(event, &c->on_end, on_end, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->on_end, SD_EVENT_OFF);
	return r;
}

bool vgpu_connection_is_of_same(const struct connection *a,
				const struct connection *b)
{
	/* A process outside our pid namespace has no pid here. */
	return a->pid && a->pid == b->pid;
}

void vgpu_connection_evict(struct connection *c)
{
	vgpu_vtest_fault(c->vtest,
			 "client %" PRIu64 " (pid %d) has no context, and makes"
			 " room for another",
			 c->number, (int)c->pid);
	vgpu_connection_destroy(c);
}

int vgpu_connection_create(struct vgpu_vtest *vtest, int socket)
{
	struct connection *c = malloc(sizeof(*c));
	int r;

	if (!c) {
		vgpu_close(socket);
		return -ENOMEM;
	}
	*c = (struct connection){
		.vtest = vtest,
		.number = ++vtest->last_number,
		.socket = socket,
		.answer_fd = -1,
		.fds = {.pool = &vtest->fds},
		.memory_fds = vgpu_fd_share_new(&vtest->fds),
	};
	vgpu_syncs_init(&c->syncs, &c->fds);
	TAILQ_INSERT_TAIL(&vtest->connections, c, link);
	vtest->n_connections++;
	c->pid = vgpu_peer_pid(socket);
	r = c->memory_fds ? add_sources(c) : -ENOMEM;
	if (r < 0)
		vgpu_connection_destroy(c);
	return r;
}

void vgpu_connection_destroy(struct connection *c)
{
	sd_event_source_disable_unref(c->on_io);
	sd_event_source_disable_unref(c->on_late);
	sd_event_source_disable_unref(c->on_end);
	vgpu_context_finish(c);
	vgpu_fd_share_leave(c->memory_fds);
	vgpu_resources_finish(c);
	vgpu_syncs_finish(&c->syncs);
	vgpu_close(c->answer_fd);
	vgpu_close(c->socket);
	TAILQ_REMOVE(&c->vtest->connections, c, link);
	c->vtest->n_connections--;
	free_body(c);
	free(c);
}
