/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending and receiving one control message with its fd. */
#ifndef VGPU_LIB_CONTROL_H
#define VGPU_LIB_CONTROL_H

#include "control_abi.h"

/*
 * Send @msg with @fd attached (-1 for none); @fd stays the caller's.
 * Returns 0 or -errno: -EAGAIN if a nonblocking socket is full, -EPIPE if the
 * peer is gone. Never raises SIGPIPE.
 */
int vgpu_control_send(int socket, const struct vgpu_control_msg *msg, int fd);

/*
 * Receive one message. *ret_fd is the attached fd (close-on-exec, the
 * caller's) or -1. Returns 1 for a message, 0 at the end of the connection,
 * -EAGAIN if a nonblocking socket has none, -EPROTO for a message of the
 * wrong size or with several fds (all closed), another -errno otherwise.
 * Strings in the message are NUL-terminated on return.
 */
int vgpu_control_receive(int socket, struct vgpu_control_msg *ret_msg,
			 int *ret_fd);

/*
 * Look at the next message without taking it: the same message and another
 * duplicate of its fd come again.
 */
int vgpu_control_peek(int socket, struct vgpu_control_msg *ret_msg, int *ret_fd);

#endif
