/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fds that pass through unix sockets with messages (SCM_RIGHTS). */
#ifndef VGPU_LIB_FDS_H
#define VGPU_LIB_FDS_H

#include <stddef.h>
#include <sys/socket.h>

/*
 * Send @parts as one message with @fd attached (-1 for none), which stays the
 * caller's. @flags as of sendmsg(2); SIGPIPE is never raised. Returns how many
 * bytes were sent, or -errno.
 */
ssize_t vgpu_fds_send(int socket, const struct iovec *parts, size_t n_parts,
		      int fd, int flags);

/*
 * Take the fds out of @msg, as recvmsg(2) left it: the first @max go into
 * @ret_fds and are the caller's, the others are closed. Returns how many there
 * were.
 */
size_t vgpu_fds_take(struct msghdr *msg, int *ret_fds, size_t max);

#endif
