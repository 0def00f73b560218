/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending and receiving one control message with its fd. */
#include "control.h"

#include <string.h>
#include <sys/socket.h>

#include "fds.h"
#include "util.h"

/* Aligned as the kernel's control messages need it. */
union control_buffer {
	struct cmsghdr header;
	/*
	 * Room for one fd more than is legal, so that several are noticed, not
	 * truncated.
	 */
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

int vgpu_control_send(int socket, const struct vgpu_control_msg *msg, int fd)
{
	const struct iovec part = {(void *)msg, sizeof(*msg)};
	/* A message of a seqpacket socket is sent whole or not at all. */
	ssize_t sent = vgpu_fds_send(socket, &part, 1, fd, 0);

	switch (sent) {
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ENOTCONN:
		return -EPIPE;
	default:
		return sent < 0 ? (int)sent : 0;
	}
}

static void terminate(char *text, size_t size)
{
	text[size - 1] = '\0';
}

static void terminate_strings(struct vgpu_control_msg *msg)
{
	switch (msg->type) {
	case VGPU_CONTROL_START:
		terminate(msg->start.uuid, sizeof(msg->start.uuid));
		terminate(msg->start.name, sizeof(msg->start.name));
		terminate(msg->start.type, sizeof(msg->start.type));
		break;
	case VGPU_CONTROL_EVENT:
		terminate(msg->event.text, sizeof(msg->event.text));
		break;
	case VGPU_CONTROL_REPLY:
		/* One that says no error may have figures in its place. */
		if (msg->reply.status != 0)
			terminate(msg->reply.text, sizeof(msg->reply.text));
		break;
	default:
		break;
	}
}

static int receive(int socket, int flags, struct vgpu_control_msg *ret_msg,
		   int *ret_fd)
{
	union control_buffer control;
	struct vgpu_control_msg msg;
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(msg)};
	struct msghdr header;
	vgpu_autoclose int fd = -1;
	size_t n_fds;
	ssize_t n;

	/*
	 * A peer that died without reading our last message leaves one
	 * ECONNRESET before what it sent itself. Ignore it: those messages must
	 * still arrive.
	 */
	do {
		header = (struct msghdr){.msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof(control)};
		n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;

	n_fds = vgpu_fds_take(&header, &fd, 1);
	if (n_fds > 1)
		return -EPROTO;
	if (header.msg_flags & MSG_CTRUNC) /* no fd was free to receive it */
		return n_fds == 0 ? -EMFILE : -EPROTO;
	if (n == 0)
		return n_fds == 0 ? 0 : -EPROTO;
	if (n != sizeof(msg) || (header.msg_flags & MSG_TRUNC))
		return -EPROTO;

	terminate_strings(&msg);
	*ret_msg = msg;
	*ret_fd = vgpu_steal_fd(&fd);
	return 1;
}

int vgpu_control_receive(int socket, struct vgpu_control_msg *ret_msg, int *ret_fd)
{
	return receive(socket, /* flags= */ 0, ret_msg, ret_fd);
}

int vgpu_control_peek(int socket, struct vgpu_control_msg *ret_msg, int *ret_fd)
{
	return receive(socket, MSG_PEEK, ret_msg, ret_fd);
}
