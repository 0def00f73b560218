/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection: messages in and answers out, each exactly once. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "device/state.h"
#include "device/vhost/internal.h"
#include "lib/fds.h"
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

/* How many bytes of the recorded message have left the socket. */
static size_t bytes_consumed(const struct vgpu_vhost *vhost)
{
	return vhost->state->message.emptied + bytes_in_pipe(vhost);
}

/* Empty the pipe; a predecessor may have started to. */
static void make_room(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *message = &vhost->state->message;
	uint32_t consumed = (uint32_t)bytes_consumed(vhost);

	if (!(message->emptied & VGPU_STATE_EMPTYING))
		vgpu_state_commit(message->emptied,
				  consumed | VGPU_STATE_EMPTYING);
	empty_pipe(vhost);
	vgpu_state_commit(message->emptied,
			  message->emptied & ~VGPU_STATE_EMPTYING);
}

/* Remove the message from the socket up to its byte @total; 0 or -EPROTO. */
static int consume_message(struct vgpu_vhost *vhost, size_t total)
{
	size_t done;

	while ((done = bytes_consumed(vhost)) < total) {
		ssize_t n = splice(connection_fd(vhost), NULL, pipe_write(vhost),
				   NULL, total - done, SPLICE_F_NONBLOCK);

		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (!bytes_in_pipe(vhost))
			return vgpu_vhost_violation(vhost,
						    "a message that went away");
		make_room(vhost);
	}
	return 0;
}

/* The fds that looking at a message has found. */
struct found {
	int fd[VGPU_SLOT_MEMORY_MAX];
	uint32_t n;
	bool is_cut; /* the kernel had more */
};

/*
 * Look at up to @len bytes in the socket, and at the fds with them unless
 * @found is NULL. A look ends at a piece that has fds. Returns how many bytes
 * there are, not 0, or -errno.
 */
static ssize_t peek_bytes(const struct vgpu_vhost *vhost, void *to, size_t len,
			  struct found *found)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VGPU_SLOT_MEMORY_MAX * sizeof(int))];
	} control;
	struct iovec part = {to, len};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	if (found) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
	}
	do {
		n = recvmsg(connection_fd(vhost), &msg,
			    MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (found) {
		found->n = (uint32_t)vgpu_fds_take(&msg, found->fd,
						   VGPU_ARRAY_SIZE(found->fd));
		found->is_cut = msg.msg_flags & MSG_CTRUNC;
	}
	return n ? n : -ECONNRESET;
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

/* Put the fds @found into the slots after the first @n, and record them. */
static int record_fds(struct vgpu_vhost *vhost, struct found *found, uint32_t n)
{
	struct vgpu_state_message *record = &vhost->state->message;

	if (found->is_cut || found->n > VGPU_SLOT_MEMORY_MAX - n)
		return vgpu_vhost_violation(vhost,
					    "more fds than can be received");
	for (uint32_t i = 0; i < found->n; i++)
		if (!is_expected_kind(found->fd[i]))
			return vgpu_vhost_violation(
				vhost, "an fd that is no memory, eventfd or "
				       "unix socket");
	for (uint32_t i = 0; i < found->n; i++, n++) {
		vgpu_state_note_file(&record->file[n], found->fd[i]);
		vgpu_slots_put(vhost->slots, VGPU_SLOT_MESSAGE + n, found->fd[i]);
	}
	found->n = 0;
	return 0;
}

/*
 * Choose the fds of @message, all of which is there, among those @found by the
 * last look and the @n_before. Having seen all that was asked for, the kernel
 * looks on into later messages until it finds fds (unix(7) says nothing of
 * this; Linux 6.18 does it), so those found last may be another's.
 */
static int choose_fds(struct vgpu_vhost *vhost,
		      struct vgpu_vhost_message *message, struct found *found,
		      uint32_t n_before)
{
	uint32_t wanted = vgpu_vhost_fds_of(message);
	uint32_t n = n_before + found->n;
	int left = (int)(sizeof(message->header) + message->header.size -
			 bytes_consumed(vhost));
	int queued = 0;
	bool is_alone = ioctl(connection_fd(vhost), FIONREAD, &queued) == 0 &&
			queued == left;
	/* "For compatibility with existing incorrect implementations" */
	bool is_lax = message->header.request == VHOST_USER_REM_MEM_REG;

	if (n != wanted && !is_lax && (is_alone || n_before != wanted))
		return vgpu_vhost_violation(vhost, "message %u with %u fds",
					    message->header.request, n);
	while (found->n && n_before + found->n > wanted)
		vgpu_close(found->fd[--found->n]);
	message->n_fds = wanted;
	return 0;
}

/* What is known of the next message. */
struct look {
	union {
		struct vhost_user_header header;
		uint8_t text[VGPU_STATE_MESSAGE_MAX];
	};
	size_t known; /* bytes of it */
	size_t size;  /* of it, as far as that is known */
	struct found found;
};

/* Look at what comes behind the look->known bytes; 0 or -errno. */
static int look_further(struct vgpu_vhost *vhost, struct look *look)
{
	size_t header = sizeof(look->header);
	size_t known = look->known;
	ssize_t n = 0;
	int r = 0;

	/* The header says how large the rest is, so without fds at first. */
	if (known < header)
		n = peek_bytes(vhost, look->text + known, header - known, NULL);
	if (n < 0)
		return (int)n;
	look->size = header;
	if (known + (size_t)n >= header) {
		r = vgpu_vhost_check(vhost, &look->header);
		if (r < 0)
			return r;
		look->size += look->header.size;
	}
	n = peek_bytes(vhost, look->text + known, look->size - known,
		       &look->found);
	if (n < 0)
		return (int)n;
	look->known += (size_t)n;
	return 0;
}

static int record_whole(struct vgpu_vhost *vhost, struct look *look,
			uint32_t n_fds)
{
	struct vgpu_state_message *record = &vhost->state->message;
	struct vgpu_vhost_message message = {.header = look->header};
	int r;

	memcpy(message.payload, look->text + sizeof(look->header),
	       sizeof(message.payload));
	r = vgpu_vhost_check(vhost, &message.header);
	if (r >= 0)
		r = choose_fds(vhost, &message, &look->found, n_fds);
	if (r >= 0)
		r = record_fds(vhost, &look->found, n_fds);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(vhost->deadline, SD_EVENT_OFF);
	memcpy(record->text, look->text, sizeof(record->text));
	record->n_fds = message.n_fds;
	vgpu_state_commit(record->phase, VGPU_MESSAGE_RECORDED);
	return 0;
}

static int record_part(struct vgpu_vhost *vhost, struct look *look, uint32_t n_fds)
{
	struct vgpu_state_message *record = &vhost->state->message;
	uint32_t n_found = look->found.n;
	int r = record_fds(vhost, &look->found, n_fds);

	if (r < 0)
		return r;
	memcpy(record->text, look->text, sizeof(record->text));
	vgpu_state_commit(record->gathered,
			  (uint32_t)look->known | (n_fds + n_found) << 16);
	vgpu_state_commit(record->phase, VGPU_MESSAGE_GATHERING);
	return 0;
}

/*
 * Look at the next message and record it, or as much of it as there is. What
 * was recorded before has left the socket, so that its sender, whose buffer
 * may be full, can send the rest. NONE or GATHERING -> GATHERING or RECORDED
 */
static int record_message(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *record = &vhost->state->message;
	struct look look = {};
	uint32_t n_fds = 0;
	int r = 0;

	if (record->phase == VGPU_MESSAGE_NONE) {
		record->emptied = 0;
	} else {
		look.known = record->gathered & 0xffff;
		n_fds = record->gathered >> 16;
		memcpy(look.text, record->text, look.known);
		r = consume_message(vhost, look.known);
	}
	if (r >= 0)
		r = look_further(vhost, &look);
	/* Otherwise its last bytes came just now: look again. */
	if (r >= 0 && look.known == sizeof(look.header) + look.header.size)
		r = record_whole(vhost, &look, n_fds);
	else if (r >= 0 && look.known < look.size)
		r = record_part(vhost, &look, n_fds);
	while (look.found.n)
		vgpu_close(look.found.fd[--look.found.n]);
	return r;
}

static void finish_message(struct vgpu_vhost *vhost)
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
		finish_message(vhost);
		return 0;
	}

	out.header.request = message.header.request;
	out.header.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	out.header.size = message.reply.size;
	memcpy(out.payload, &message.reply.u64, message.reply.size);
	total = sizeof(out.header) + message.reply.size;
	/*
	 * Less than PIPE_BUF into an empty pipe: written as a whole, or an
	 * error.
	 */
	if (write(pipe_write(vhost), &out, total) != (ssize_t)total)
		return vgpu_vhost_violation(vhost, "cannot answer: %s",
					    strerror(errno));
	vgpu_state_commit(vhost->state->message.phase, VGPU_MESSAGE_ANSWERING);
	return 0;
}

/* Send the answer: ANSWERING -> NONE. -EAGAIN if the socket is full. */
static int send_answer(struct vgpu_vhost *vhost)
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
	finish_message(vhost);
	return 0;
}

int vgpu_vhost_step(struct vgpu_vhost *vhost)
{
	struct vgpu_state_message *message = &vhost->state->message;
	int r = 0;

	for (int i = 0; i < 4 * BURST && r >= 0; i++) {
		switch (message->phase) {
		case VGPU_MESSAGE_NONE:
		case VGPU_MESSAGE_GATHERING:
			r = record_message(vhost);
			if (r == -EAGAIN && vhost->has_hung_up)
				r = -ECONNRESET;
			break;
		case VGPU_MESSAGE_RECORDED:
			r = consume_message(vhost,
					    sizeof(struct vhost_user_header) +
						    message->size);
			if (r >= 0)
				vgpu_state_commit(message->phase,
						  VGPU_MESSAGE_CONSUMED);
			break;
		case VGPU_MESSAGE_CONSUMED:
			r = carry_out(vhost);
			vhost->is_waiting = r == -EAGAIN;
			break;
		default:
			vhost->is_blocked = false;
			r = send_answer(vhost);
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
	bool is_leaving = message->phase == VGPU_MESSAGE_GATHERING ||
			  message->phase == VGPU_MESSAGE_RECORDED;
	uint32_t n_fds = message->n_fds;

	if (is_leaving && (message->emptied & VGPU_STATE_EMPTYING))
		make_room(vhost);
	if (is_leaving && !bytes_consumed(vhost))
		vgpu_state_commit(message->phase, VGPU_MESSAGE_NONE);
	if (message->phase == VGPU_MESSAGE_NONE) {
		empty_pipe(vhost);
		forget_fds(vhost);
		return 0;
	}
	if (message->phase == VGPU_MESSAGE_GATHERING)
		n_fds = message->gathered >> 16;
	for (uint32_t i = 0; i < n_fds; i++)
		if (message->phase != VGPU_MESSAGE_ANSWERING &&
		    !vgpu_state_is_file(&message->file[i],
					vgpu_slots_get(vhost->slots,
						       VGPU_SLOT_MESSAGE + i)))
			return vgpu_vhost_violation(
				vhost, "a message's fd is not there");
	return 0;
}
