/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Closes fds that came from a device process, in a thread of its own. */
#include "closer.h"

#include <fcntl.h>
#include <pthread.h>

#include "lib/util.h"

/* Numbers of fds to close go through here. */
static int pipe_fds[2] = {-1, -1};

static void *close_all(void *unused)
{
	ssize_t n;
	int fd;

	for (;;) {
		n = read(pipe_fds[0], &fd, sizeof(fd));
		if (n == (ssize_t)sizeof(fd))
			close(fd);
		else if (n >= 0 || errno != EINTR)
			return NULL;
	}
}

int vgpu_closer_start(void)
{
	pthread_t thread;
	int r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0 ||
	    fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = pthread_create(&thread, NULL, close_all, NULL);
	if (r == 0)
		pthread_detach(thread);
	return -r;
}

void vgpu_closer_close(int fd)
{
	int saved = errno;

	if (fd < 0)
		return;
	/*
	 * The pipe holds 16384 fds. It is full only if the thread has been
	 * blocked for long.
	 */
	if (write(pipe_fds[1], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
		close(fd);
	errno = saved;
}
