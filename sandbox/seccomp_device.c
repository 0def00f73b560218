/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-device calls once a guest may send it something. */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kernel/uapi/vgpu_mdev.h"
#include "sandbox/seccomp_rules.h"

static const struct vgpu_seccomp_rule rules[] = {
	/* VMMs and programs, vgpud, render processes, viewers. */
	ALLOW(accept4),
	ALLOW(shutdown),
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW_IF(recvfrom, IS_NULL(4)),
	ALLOW_IF(sendto, IS_NULL(4)), /* a connected socket only */
	ALLOW_IF(getsockopt, IS(1, SOL_SOCKET)),
	ALLOW_IF(socketpair, IS(0, AF_UNIX), IS(1, SOCK_SEQPACKET | SOCK_CLOEXEC)),
	ALLOW_IF(ioctl, IS(1, FIONREAD)),
	ALLOW_IF(ioctl, IS(1, SIOCOUTQ)),
	/* No O_ASYNC: nobody is sent a signal. */
	ALLOW_IF(fcntl, IS(1, F_SETFL), ONLY(2, O_RDWR | O_NONBLOCK)),
	ALLOW_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),

	/* The event loop, and what guests are woken by. */
	REFUSE(openat, EPERM), /* sd-event would spread wake-ups by boot id */
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait2),
	ALLOW(poll),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(signalfd4),
	ALLOW(read),
	ALLOW_IF(lseek, IS(2, SEEK_SET)), /* what render processes use; FATAL */
	ALLOW(write),
	ALLOW(pipe2),
	ALLOW(splice),

	/* The file of a mediated device, of which there is one at most. */
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_GET_STATE)),
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_PIN)),
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_INTERRUPT)),
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_SET_CONFIG)),
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_MAP)),
	ALLOW_IF(ioctl, IS(1, VGPU_MDEV_UNMAP)),

	/* Framebuffers and frames. */
	ALLOW(memfd_create),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW_IF(fcntl, IS(1, F_GET_RW_HINT)),
	ALLOW_IF(fcntl, IS(1, F_SET_RW_HINT)),
	ALLOW_IF(fcntl, IS(1, F_GET_SEALS)),
	ALLOW_IF(fcntl, IS(1, F_ADD_SEALS)),
	ALLOW_IF(madvise, IS(2, MADV_DONTDUMP)),
	ALLOW_IF(ioctl, IS(1, UDMABUF_CREATE)),
};

const struct vgpu_seccomp_list vgpu_seccomp_device = {
	.rule = rules,
	.n = VGPU_ARRAY_SIZE(rules),
	.base = &vgpu_seccomp_common,
};
