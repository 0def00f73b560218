/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving what a render process sends. */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

ssize_t vgpu_render_receive(int socket, void *buffer, size_t size)
{
	struct iovec iov = {buffer, size};
	/* With no place for fds the kernel closes those that come. */
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(socket, &header, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EPROTO;
	return n;
}
