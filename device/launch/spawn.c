/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a vgpu-launch for a device process that runs without vgpud. */
#include "device/launch/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/util.h"

/* Where it expects its socket; see its main.c. */
#define FD 3
/* Where no fd lies that is put in order. */
#define FD_ASIDE_MIN 8

/* Look beside our own program, then where it is installed. */
static bool find_path(char *ret_path, size_t size)
{
	char own[PATH_MAX];
	char *slash;
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (n > 0) {
		own[n] = '\0';
		slash = strrchr(own, '/');
		if (slash &&
		    snprintf(ret_path, size, "%.*s/vgpu-launch",
			     (int)(slash - own), own) < (int)size &&
		    access(ret_path, X_OK) == 0)
			return true;
	}
	return (size_t)snprintf(ret_path, size, "%s/vgpu-launch",
				VGPU_LIBEXECDIR) < size;
}

static int spawn_launcher(const char *path, int fd)
{
	char *const argv[] = {(char *)"vgpu-launch", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, fd, FD);
	if (r == 0)
		r = posix_spawn(&pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int vgpu_launch_spawn(int *ret_fd, struct vgpu_err *err)
{
	vgpu_autoclose int ours = -1, theirs = -1, above = -1;
	char path[PATH_MAX];
	int pair[2];
	int r;

	if (!find_path(path, sizeof(path)))
		return vgpu_err_set(err, -ENAMETOOLONG, NULL, "too long a path");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, NULL, "no socket: %s",
				    strerror(errno));
	ours = pair[0];
	theirs = pair[1];
	above = fcntl(theirs, F_DUPFD_CLOEXEC, FD_ASIDE_MIN);
	r = above < 0 ? -errno : spawn_launcher(path, above);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "cannot run %s: %s", path,
				    strerror(-r));
	*ret_fd = vgpu_steal_fd(&ours);
	return 0;
}
