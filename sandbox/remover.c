/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remove a socket file at exit, by a helper process: the sandbox forbids it to
 * the process itself.
 */
#include "sandbox/remover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"

/* The file is removed by then, or its file system hangs. */
#define REMOVE_MS 5000
/* Where the process has its end of the socket. */
#define FD 3

static void keep_only(int fd)
{
	if (fd != FD)
		dup2(fd, FD);
	close_range(FD + 1, UINT_MAX, 0);
	/*
	 * A reader of our output waits until every process that could write to
	 * it has ended.
	 */
	for (int i = 0; i < FD; i++)
		close(i);
}

__attribute__((noreturn)) static void run_remover(const char *path,
						  const struct stat *file, int fd)
{
	sigset_t all;
	struct stat now;
	char told;
	ssize_t n;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "vgpu-remover");
	keep_only(fd);
	/* Tell the parent that none of its fds is open here any more. */
	send(FD, "", 1, MSG_NOSIGNAL);
	do {
		n = read(FD, &told, 1);
	} while (n < 0 && errno == EINTR);
	/*
	 * If the process was killed its file stays, as with any other program.
	 */
	if (n == 1 && lstat(path, &now) == 0 && now.st_dev == file->st_dev &&
	    now.st_ino == file->st_ino)
		unlink(path);
	_exit(0);
}

int vgpu_remover_start(const char *path, int *ret_fd, struct vgpu_err *err)
{
	vgpu_autoclose int ours = -1, theirs = -1;
	struct stat file;
	int pair[2];
	char ready;
	ssize_t n;
	pid_t pid;

	if (lstat(path, &file) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, NULL, "%s: %s", path,
				    strerror(errno));
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot fork: %s",
				    strerror(errno));
	if (pid == 0) {
		/*
		 * Fork twice, so that it is not a child of ours that we would
		 * have to reap.
		 */
		setsid();
		pid = fork();
		if (pid == 0)
			run_remover(path, &file, theirs);
		_exit(pid < 0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	theirs = vgpu_close(theirs);
	do {
		n = read(ours, &ready, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		return vgpu_err_set(err, -EAGAIN, NULL, "cannot fork twice");
	*ret_fd = vgpu_steal_fd(&ours);
	return 0;
}

void vgpu_remover_finish(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return;
	if (send(fd, "r", 1, MSG_NOSIGNAL) == 1)
		while (poll(&poll_fd, 1, REMOVE_MS) < 0 && errno == EINTR)
			;
	close(fd);
}
