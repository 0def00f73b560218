/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-vnc calls once viewers may connect. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "sandbox/seccomp_rules.h"

static const struct vgpu_seccomp_rule rules[] = {
	/* Viewers, and the device's pictures. */
	ALLOW(accept4),
	ALLOW(getpeername),
	ALLOW_IF(getsockopt, IS(1, SOL_SOCKET)),
	ALLOW(recvmsg),
	ALLOW_IF(recvfrom, IS_NULL(4)),
	ALLOW_IF(sendto, IS_NULL(4)), /* a connected socket only */
	ALLOW(read),
	ALLOW(write),
	ALLOW_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
	ALLOW_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
	ALLOW(dup3),
	ALLOW_IF(fcntl, IS(1, F_GETFL)),
	/* No O_ASYNC: nobody is sent a signal. */
	ALLOW_IF(fcntl, IS(1, F_SETFL), ONLY(2, O_RDWR | O_NONBLOCK)),
	ALLOW_IF(fcntl, IS(1, F_GET_SEALS)),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(pselect6),
	ALLOW(gettimeofday),

	/* LibVNCServer's libraries: random numbers, the log, the time zone. */
	REFUSE(openat, EPERM),
	REFUSE(access, EPERM),
	REFUSE(socket, EPERM),
};

const struct vgpu_seccomp_list vgpu_seccomp_vnc = {
	.rule = rules,
	.n = VGPU_ARRAY_SIZE(rules),
	.base = &vgpu_seccomp_common,
};
