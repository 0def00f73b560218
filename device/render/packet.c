/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving what a render process sends. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/util.h"

static ssize_t receive_packet(int socket, void *buffer, size_t size,
			      void *control, size_t control_size, int flags,
			      struct msghdr *ret_header)
{
	struct iovec iov = {buffer, size};
	/* With no place for fds the kernel closes those that come. */
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = control_size,
	};
	ssize_t n;

	do
		n = recvmsg(socket, &header,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	*ret_header = header;
	return n;
}

static ssize_t receive_no_files(int socket, void *buffer, size_t size, int flags)
{
	struct msghdr header = {};
	ssize_t n = receive_packet(socket, buffer, size, NULL, 0, flags, &header);

	if (n > 0 && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EPROTO;
	return n;
}

ssize_t vgpu_render_receive(int socket, void *buffer, size_t size)
{
	return receive_no_files(socket, buffer, size, 0);
}

ssize_t vgpu_render_peek(int socket, void *buffer, size_t size)
{
	return receive_no_files(socket, buffer, size, MSG_PEEK);
}

void vgpu_render_take_packet(int socket)
{
	uint8_t byte; /* and the rest of the packet goes with it */

	vgpu_render_receive(socket, &byte, sizeof(byte));
}

ssize_t vgpu_render_receive_files(int socket, void *buffer, size_t size,
				  int *ret_files, unsigned int *ret_n_files)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VGPU_RENDER_FILES_MAX * sizeof(int))];
	} control;
	struct msghdr header = {};
	struct cmsghdr *cmsg;
	ssize_t n = receive_packet(socket, buffer, size, &control,
				   sizeof(control), 0, &header);

	*ret_n_files = 0;
	if (n <= 0)
		return n;
	cmsg = CMSG_FIRSTHDR(&header);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET &&
	    cmsg->cmsg_type == SCM_RIGHTS) {
		*ret_n_files = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_files, CMSG_DATA(cmsg), *ret_n_files * sizeof(int));
	}
	if (!(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	while (*ret_n_files)
		vgpu_close(ret_files[--*ret_n_files]);
	return -EPROTO;
}
