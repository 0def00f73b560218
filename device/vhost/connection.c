/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection: messages in and answers out, each exactly once. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "device/vhost/internal.h"
#include "lib/util.h"

/*
 * The steps of one message are those of enum vgpu_state_message_phase. Every
 * message is first looked at with MSG_PEEK, which also gives us its fds while
 * the socket keeps them; it leaves the socket by splice(2) only when a
 * successor could carry it out without the socket. The kernel moves bytes
 * between socket and pipe in one system call, which a kill does not divide;
 * how full the pipe is says where we are.
 */

/* Messages handled before the queues get a turn. */
#define BURST 16

static int pipe_read(const struct vgpu_vhost *vhost)
{
	return vgpu_slots_get(vhost->slots, VGPU_SLOT_PIPE_READ);
}

static int pipe_write(const struct vgpu_vhost *vhost)
{
	return vgpu_slots_get(vhost->slots, VGPU_SLOT_PIPE_WRITE);
}

static size_t bytes_in_pipe(const struct vgpu_vhost *vhost)
{
	int n;

	return ioctl(pipe_read(vhost), FIONREAD, &n) < 0 ? 0 : (size_t)n;
}

static void empty_pipe(struct vgpu_vhost *vhost)
{
	char sink[512];

	while (read(pipe_read(vhost), sink, sizeof(sink)) > 0)
		;
}

static void forget_fds(struct vgpu_vhost *vhost)
{
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_MESSAGE + i);
}

void vgpu_vhost_forget_message(struct vgpu_vhost *vhost)
{
	vhost->is_waiting = false;
	vhost->is_blocked = false;
	vgpu_state_commit(vhost->state->message.phase, VGPU_MESSAGE_NONE);
	empty_pipe(vhost);
	forget_fds(vhost);
}

static int connection_fd(const struct vgpu_vhost *vhost)
{
	return vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND);
}

/* 0 if @len bytes are there, -EAGAIN if not yet, another -errno. */
static int peek(const struct vgpu_vhost *vhost, struct msghdr *msg, size_t len)
{
	ssize_t n = recvmsg(connection_fd(vhost), msg,
			    MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -ECONNRESET;
	return (size_t)n < len ? -EAGAIN : 0;
}

static int peek_header(const struct vgpu_vhost *vhost,
		       struct vhost_user_header *header)
{
	struct iovec part = {header, sizeof(*header)};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

	return peek(vhost, &msg, sizeof(*header));
}

/* Take the fds out of @msg into @fd; those beyond @max are closed. */
static uint32_t take_fds(struct msghdr *msg, int *fd, uint32_t max)
{
	struct cmsghdr *cmsg;
	uint32_t n = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0);
		     at + sizeof(int) <= cmsg->cmsg_len; at += sizeof(int)) {
			int it;

			memcpy(&it, (char *)cmsg + at, sizeof(it));
			if (n < max)
				fd[n++] = it;
			else
				vgpu_close(it);
		}
	}
	return n;
}

/*
 * Choose the fds of @message among the @n that a look at it gave. The kernel
 * looks on into later messages until it finds fds (unix(7) says nothing of
 * this; Linux 6.18 does it), so they are another's if this one should have
 * none and others are behind it.
 */
static int choose_fds(struct vgpu_vhost *vhost,
		      struct vgpu_vhost_message *message, int *fd, uint32_t n)
{
	uint32_t wanted = vgpu_vhost_fds_of(message);
	int total = (int)(sizeof(message->header) + message->header.size);
	int queued = 0;
	bool is_alone = ioctl(connection_fd(vhost), FIONREAD, &queued) == 0 &&
			queued == total;

	/* "For compatibility with existing incorrect implementations" */
	if (message->header.request == VHOST_USER_REM_MEM_REG)
		is_alone = false;
	if (n != wanted && (wanted || is_alone))
		return vgpu_vhost_violation(vhost, "message %u with %u fds",
					    message->header.request, n);
	for (; n > wanted; n--)
		vgpu_close(fd[n - 1]);
	message->n_fds = wanted;
	return 0;
}

/*
 * Whether @fd is of a kind that a message may carry: a unix socket, memory, or
 * an eventfd (whose inode has no type). Others could hold up whoever closes
 * them last, the manager too.
 */
static bool is_expected_kind(int fd)
{
	int domain = -1;
	socklen_t len = sizeof(domain);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
		return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		       domain == AF_UNIX;
	case S_IFREG:
		/* Only files in memory have seals: memfd, tmpfs, hugetlbfs. */
		return fcntl(fd, F_GET_SEALS) >= 0;
	default:
		return (st.st_mode & S_IFMT) == 0;
	}
}

/* Look at the next message, whole, with its fds. */
static int look(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message,
		int fd[VGPU_SLOT_MEMORY_MAX])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VGPU_SLOT_MEMORY_MAX * sizeof(int))];
	} control = {};
	struct iovec part[2] = {
		{&message->header, sizeof(message->header)},
		{message->payload, 0},
	};
	struct msghdr msg = {
		.msg_iov = part,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	uint32_t n;
	int r;

	r = peek_header(vhost, &message->header);
	if (r >= 0)
		r = vgpu_vhost_check(vhost, &message->header);
	if (r < 0)
		return r;
	part[1].iov_len = message->header.size;
	r = peek(vhost, &msg, sizeof(message->header) + message->header.size);
	n = take_fds(&msg, fd, VGPU_SLOT_MEMORY_MAX);
	if (r >= 0 && (msg.msg_flags & MSG_CTRUNC))
		r = vgpu_vhost_violation(vhost, "more fds than can be received");
	if (r >= 0)
		r = choose_fds(vhost, message, fd, n);
	for (uint32_t i = 0; r >= 0 && i < message->n_fds; i++)
		if (!is_expected_kind(fd[i]))
			r = vgpu_vhost_violation(
				vhost,
				"message %u with an fd that is no memory, "
				"eventfd or unix socket",
				message->header.request);
	while (r < 0 && n)
		vgpu_close(fd[--n]);
	return r;
}

/* Look at the next message and record it: NONE -> RECORDED. */
static int record(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *record = &vhost->state->message;
	struct vgpu_vhost_message message;
	int fd[VGPU_SLOT_MEMORY_MAX] = {};
	int r;

	memset(message.payload, 0, sizeof(message.payload));
	r = look(vhost, &message, fd);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < message.n_fds; i++)
		vgpu_slots_put(vhost->slots, VGPU_SLOT_MESSAGE + i, fd[i]);
	record->request = message.header.request;
	record->flags = message.header.flags;
	record->size = message.header.size;
	record->n_fds = message.n_fds;
	memcpy(record->payload, message.payload, sizeof(record->payload));
	vgpu_state_commit(record->phase, VGPU_MESSAGE_RECORDED);
	return 0;
}

/* Let the recorded message leave the socket: RECORDED -> CONSUMED. */
static int consume(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *message = &vhost->state->message;
	size_t total = sizeof(struct vhost_user_header) + message->size;
	size_t done;

	while ((done = bytes_in_pipe(vhost)) < total) {
		ssize_t n = splice(connection_fd(vhost), NULL, pipe_write(vhost),
				   NULL, total - done, SPLICE_F_NONBLOCK);
		if (n <= 0 && errno != EINTR)
			return vgpu_vhost_violation(vhost,
						    "a message that went away");
	}
	vgpu_state_commit(message->phase, VGPU_MESSAGE_CONSUMED);
	return 0;
}

static void finish(struct vgpu_vhost *vhost)
{
	vgpu_state_commit(vhost->state->message.phase, VGPU_MESSAGE_NONE);
	forget_fds(vhost);
}

/* Carry the message out: CONSUMED -> ANSWERING, or NONE with no answer. */
static int carry_out(struct vgpu_vhost *vhost)
{
	const struct vgpu_state_message *record = &vhost->state->message;
	struct vgpu_vhost_message message;
	struct {
		struct vhost_user_header header;
		uint8_t payload[sizeof(message.reply)];
	} __attribute__((packed)) out;
	bool has_ack = vhost->state->protocol_features &
		       1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK;
	size_t total;
	int r;

	message.header.request = record->request;
	message.header.flags = record->flags;
	message.header.size = record->size;
	message.n_fds = record->n_fds;
	message.reply.size = 0;
	memcpy(message.payload, record->payload, sizeof(message.payload));

	empty_pipe(vhost);
	r = vgpu_vhost_handle(vhost, &message);
	if (r == -EAGAIN || r == -EPROTO)
		return r;
	has_ack = has_ack && (message.header.flags & VHOST_USER_NEED_REPLY);
	if (r < 0 && !has_ack)
		return vgpu_vhost_violation(vhost, "%s", strerror(-r));
	if (!message.reply.size && has_ack) {
		message.reply.size = sizeof(message.reply.u64);
		message.reply.u64 = r < 0 ? (uint64_t)-r : 0;
	}
	if (!message.reply.size) {
		finish(vhost);
		return 0;
	}

	out.header.request = message.header.request;
	out.header.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	out.header.size = message.reply.size;
	memcpy(out.payload, &message.reply.u64, message.reply.size);
	total = sizeof(out.header) + message.reply.size;
	/* Less than PIPE_BUF, and the pipe is empty: all of it or an error. */
	if (write(pipe_write(vhost), &out, total) != (ssize_t)total)
		return vgpu_vhost_violation(vhost, "cannot answer: %s",
					    strerror(errno));
	vgpu_state_commit(vhost->state->message.phase, VGPU_MESSAGE_ANSWERING);
	return 0;
}

/* Send the answer: ANSWERING -> NONE. -EAGAIN if the socket is full. */
static int answer(struct vgpu_vhost *vhost)
{
	size_t left;

	while ((left = bytes_in_pipe(vhost))) {
		ssize_t n = splice(pipe_read(vhost), NULL, connection_fd(vhost),
				   NULL, left, SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EAGAIN) {
			vhost->is_blocked = true;
			return -EAGAIN;
		}
		if (n <= 0 && errno != EINTR)
			return -ECONNRESET;
	}
	finish(vhost);
	return 0;
}

int vgpu_vhost_step(struct vgpu_vhost *vhost)
{
	int r = 0;

	for (int i = 0; i < 4 * BURST && r >= 0; i++) {
		switch (vhost->state->message.phase) {
		case VGPU_MESSAGE_NONE:
			r = record(vhost);
			if (r == -EAGAIN && vhost->has_hung_up)
				r = -ECONNRESET;
			break;
		case VGPU_MESSAGE_RECORDED:
			r = consume(vhost);
			break;
		case VGPU_MESSAGE_CONSUMED:
			r = carry_out(vhost);
			vhost->is_waiting = r == -EAGAIN;
			break;
		default:
			vhost->is_blocked = false;
			r = answer(vhost);
			break;
		}
	}
	if (r >= 0)
		sd_event_source_set_enabled(vhost->step, SD_EVENT_ONESHOT);
	return r == -EAGAIN ? 0 : r;
}

int vgpu_vhost_resume_message(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *message = &vhost->state->message;

	if (message->phase == VGPU_MESSAGE_RECORDED && !bytes_in_pipe(vhost))
		vgpu_state_commit(message->phase, VGPU_MESSAGE_NONE);
	if (message->phase == VGPU_MESSAGE_NONE) {
		empty_pipe(vhost);
		forget_fds(vhost);
		return 0;
	}
	for (uint32_t i = 0; i < message->n_fds; i++)
		if (message->phase != VGPU_MESSAGE_ANSWERING &&
		    vgpu_slots_get(vhost->slots, VGPU_SLOT_MESSAGE + i) < 0)
			return vgpu_vhost_violation(
				vhost, "a message's fd is not there");
	return 0;
}
