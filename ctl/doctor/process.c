/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run a program and read its output. */
#include "ctl/doctor/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/util.h"

#define OUTPUT_MAX (1024 * 1024) /* QEMU's device list has some 60 kB */
#define TIMEOUT_S  20 /* a Vulkan driver may compile a lot at first */

char *ctl_process_find(const char *name)
{
	vgpu_autofree char *paths = strdup(getenv("PATH") ?: "/usr/bin:/bin");
	char *rest = paths;
	char *folder;

	while (paths && (folder = strsep(&rest, ":"))) {
		struct stat st;
		char *path;

		if (asprintf(&path, "%s/%s", folder[0] ? folder : ".", name) < 0)
			return NULL;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* Returns the process, or a negative errno. */
static pid_t spawn(char *const argv[], int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
					     "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, output,
						     STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO,
						     "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -r;
}

static int seconds_left(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return VGPU_MAX(TIMEOUT_S - (now.tv_sec - start->tv_sec), 0);
}

/* Read @fd to its end; 0 or a negative errno. */
static int read_output(int fd, char **ret_output)
{
	vgpu_autofree char *output = malloc(OUTPUT_MAX + 1);
	struct timespec start;
	size_t size = 0;

	if (!output)
		return -ENOMEM;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		n = poll(&p, 1, seconds_left(&start) * 1000);
		if (n == 0)
			return -ETIME;
		if (n > 0)
			n = read(fd, output + size, OUTPUT_MAX + 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += n;
		if (size > OUTPUT_MAX)
			return -EFBIG;
	}
	output[size] = '\0';
	*ret_output = vgpu_steal(&output);
	return 0;
}

int ctl_process_run(char *const argv[], char **ret_output, struct vgpu_err *err)
{
	vgpu_autofree char *output = NULL;
	vgpu_autoclose int reader = -1;
	vgpu_autoclose int writer = -1;
	int fds[2];
	int status = -1;
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return vgpu_err_set(err, -errno, NULL, "%s: no pipe: %m",
				    argv[0]);
	reader = fds[0];
	writer = fds[1];
	pid = spawn(argv, writer);
	if (pid <= 0)
		return vgpu_err_set(err, pid, NULL, "%s cannot be started: %s",
				    argv[0], strerror(-pid));
	/* Otherwise the reader would never see the end of the output. */
	close(vgpu_steal_fd(&writer));

	r = read_output(reader, &output);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "%s was ended: %s", argv[0],
				    r == -ETIME ? "it took too long"
						: strerror(-r));
	if (WIFSIGNALED(status))
		return vgpu_err_set(
			err, -ECHILD, NULL, "%s crashed with signal %d (%s)",
			argv[0], WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != 0)
		return vgpu_err_set(err, -ECHILD, NULL, "%s exited with %d",
				    argv[0], WEXITSTATUS(status));
	*ret_output = vgpu_steal(&output);
	return 0;
}
