/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fds that pass through unix sockets with messages (SCM_RIGHTS). */
#include "fds.h"

#include <string.h>

#include "util.h"

ssize_t vgpu_fds_send(int socket, const struct iovec *parts, size_t n_parts,
		      int fd, int flags)
{
	/* Aligned as the kernel's control messages need it. */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct msghdr msg = {
		.msg_iov = (struct iovec *)parts,
		.msg_iovlen = n_parts,
	};
	ssize_t sent;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(socket, &msg, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

size_t vgpu_fds_take(struct msghdr *msg, int *ret_fds, size_t max)
{
	struct cmsghdr *cmsg;
	size_t count = 0;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(fd) <= cmsg->cmsg_len;
		     at += sizeof(fd)) {
			memcpy(&fd, (char *)cmsg + at, sizeof(fd));
			if (count < max)
				ret_fds[count] = fd;
			else
				vgpu_close(fd);
			count++;
		}
	}
	return count;
}
