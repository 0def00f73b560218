/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A double of a launcher: what it keeps for a successor of the device. */
#include "tests/device/gpu_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/gpu/state_abi.h"
#include "device/render/launcher.h"
#include "lib/fds.h"
#include "lib/util.h"

#define FILES VGPU_GPU_ALLOCATIONS_MAX

struct kept {
	int socket[2]; /* from whoever has a file kept, to us */
	int fd_plus_1[FILES];
};

/* With a file to keep, or without one to drop what is kept. */
struct request {
	uint32_t number;
};

void __wrap_vgpu_launcher_keep(struct vgpu_launcher *launcher, uint32_t number,
			       int fd);
void __wrap_vgpu_launcher_drop(struct vgpu_launcher *launcher, uint32_t number);
void __wrap_vgpu_launcher_fetch(struct vgpu_launcher *launcher,
				const uint32_t *number, int *ret_fd, size_t n);

static void fail(const char *what)
{
	perror(what);
	abort();
}

static int copy_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		fail("no fd");
	return copy;
}

static void put(struct kept *kept, uint32_t number, int fd)
{
	vgpu_close(kept->fd_plus_1[number] - 1);
	kept->fd_plus_1[number] = fd + 1;
}

/* Do all that was asked for. */
static void receive(struct kept *kept)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct request request;
	struct iovec part = {&request, sizeof(request)};

	for (;;) {
		struct msghdr header = {.msg_iov = &part,
					.msg_iovlen = 1,
					.msg_control = &control,
					.msg_controllen = sizeof(control)};
		int fd = -1;

		if (recvmsg(kept->socket[1], &header, MSG_DONTWAIT) < 0)
			return;
		vgpu_fds_take(&header, &fd, 1);
		put(kept, request.number, fd);
	}
}

static void ask(struct kept *kept, uint32_t number, int fd)
{
	const struct request request = {number - VGPU_GPU_KEPT_FILES};
	const struct iovec part = {(void *)&request, sizeof(request)};

	if (number < VGPU_GPU_KEPT_FILES)
		return;
	while (vgpu_fds_send(kept->socket[0], &part, 1, fd, MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN)
			fail("nothing can be kept");
		receive(kept);
	}
}

void __wrap_vgpu_launcher_keep(struct vgpu_launcher *launcher, uint32_t number,
			       int fd)
{
	if (launcher)
		ask((struct kept *)launcher, number, fd);
}

void __wrap_vgpu_launcher_drop(struct vgpu_launcher *launcher, uint32_t number)
{
	if (launcher)
		ask((struct kept *)launcher, number, -1);
}

void __wrap_vgpu_launcher_fetch(struct vgpu_launcher *launcher,
				const uint32_t *number, int *ret_fd, size_t n)
{
	struct kept *kept = (struct kept *)launcher;

	if (kept)
		receive(kept);
	for (size_t i = 0; i < n; i++) {
		int fd = -1;

		if (kept && number[i] >= VGPU_GPU_KEPT_FILES)
			fd = kept->fd_plus_1[number[i] - VGPU_GPU_KEPT_FILES] - 1;
		ret_fd[i] = fd < 0 ? -1 : copy_of(fd);
	}
}

struct vgpu_launcher *kept_create(void)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				kept->socket) < 0)
		fail("no double of a launcher");
	return (struct vgpu_launcher *)kept;
}

void kept_copy(struct vgpu_launcher *to, struct vgpu_launcher *from)
{
	struct kept *copy = (struct kept *)to, *kept = (struct kept *)from;

	receive(copy);
	receive(kept);
	for (uint32_t i = 0; i < FILES; i++) {
		if (!copy->fd_plus_1[i] && !kept->fd_plus_1[i])
			continue;
		put(copy, i,
		    kept->fd_plus_1[i] ? copy_of(kept->fd_plus_1[i] - 1) : -1);
	}
}

void kept_destroy(struct vgpu_launcher *launcher)
{
	struct kept *kept = (struct kept *)launcher;

	receive(kept);
	for (uint32_t i = 0; i < FILES; i++)
		put(kept, i, -1);
	close(kept->socket[0]);
	close(kept->socket[1]);
	free(kept);
}

unsigned int kept_count(struct vgpu_launcher *launcher)
{
	struct kept *kept = (struct kept *)launcher;
	unsigned int n = 0;

	receive(kept);
	for (uint32_t i = 0; i < FILES; i++)
		n += kept->fd_plus_1[i] != 0;
	return n;
}
