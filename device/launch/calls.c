/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kills a render process that makes a forbidden system call, and reports the
 * call.
 */
#include "device/launch/calls.h"

#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/fds.h"
#include "lib/util.h"

static void receive_listener(struct vgpu_kept_process *process)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	int listener = -1;

	/* A process without a filter closes the socket. */
	if (recvmsg(process->calls, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) > 0)
		vgpu_fds_take(&header, &listener, 1);
	vgpu_close(process->calls);
	process->calls = listener;
	process->is_listener = listener >= 0;
}

static void receive_call(struct vgpu_kept_process *process)
{
	struct seccomp_notif *told = NULL;
	int r = seccomp_notify_alloc(&told, NULL);

	/* It is readable and nobody else reads it: this does not block. */
	if (r == 0)
		r = seccomp_notify_receive(process->calls, told);
	if (r == 0)
		process->call = told->data.nr;
	seccomp_notify_free(told, NULL);
	/*
	 * Kill it before the call returns, which it does when the listener is
	 * closed.
	 */
	kill(process->pid, SIGKILL);
	process->calls = vgpu_close(process->calls);
}

void vgpu_calls_look(struct vgpu_kept_process *process)
{
	/*
	 * First receive the listener, if that has not come yet, then the call.
	 */
	for (int i = 0; i < 2 && process->calls >= 0; i++) {
		struct pollfd poll_fd = {.fd = process->calls, .events = POLLIN};

		if (poll(&poll_fd, 1, 0) <= 0 || !(poll_fd.revents & POLLIN))
			return;
		vgpu_calls_handle(process);
	}
}

void vgpu_calls_handle(struct vgpu_kept_process *process)
{
	if (process->is_listener)
		receive_call(process);
	else
		receive_listener(process);
}
