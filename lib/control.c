/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending and receiving one control message with its fd. */
#include "control.h"

#include <string.h>
#include <sys/socket.h>

#include "util.h"

/* Aligned as the kernel's control messages need it. */
union control_buffer {
	struct cmsghdr header;
	/* One fd more than is legal: several are recognised, not cut. */
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

int vgpu_control_send(int socket, const struct vgpu_control_msg *msg, int fd)
{
	union control_buffer control = {};
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = sizeof(*msg)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(sizeof(int));
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}

	/* A message of a seqpacket socket is sent whole or not at all. */
	while (sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
		switch (errno) {
		case EINTR:
			continue;
		case ECONNRESET:
		case ECONNREFUSED:
		case ENOTCONN:
			return -EPIPE;
		default:
			return -errno;
		}
	}
	return 0;
}

/* Close every fd in @header but the first, which is returned (or -1). */
static int take_fds(struct msghdr *header, size_t *ret_count)
{
	struct cmsghdr *cmsg;
	size_t count = 0;
	int fd, first = -1;

	for (cmsg = CMSG_FIRSTHDR(header); cmsg;
	     cmsg = CMSG_NXTHDR(header, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(fd) <= cmsg->cmsg_len;
		     at += sizeof(fd)) {
			memcpy(&fd, (char *)cmsg + at, sizeof(fd));
			if (count++ == 0)
				first = fd;
			else
				vgpu_close(fd);
		}
	}
	*ret_count = count;
	return first;
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
		terminate(msg->reply.text, sizeof(msg->reply.text));
		break;
	default:
		break;
	}
}

int vgpu_control_receive(int socket, struct vgpu_control_msg *ret_msg, int *ret_fd)
{
	union control_buffer control;
	struct vgpu_control_msg msg;
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(msg)};
	struct msghdr header;
	vgpu_autoclose int fd = -1;
	size_t n_fds;
	ssize_t n;

	/*
	 * A peer that died with a message of ours unread leaves one ECONNRESET
	 * before what it sent itself: that must still arrive.
	 */
	do {
		header = (struct msghdr){.msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof(control)};
		n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;

	fd = take_fds(&header, &n_fds);
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
