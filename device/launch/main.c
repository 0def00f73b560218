/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-launch: starts the render processes of one vGPU, and ends with it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/launch/abi.h"
#include "device/launch/start.h"
#include "lib/fds.h"
#include "lib/util.h"
#include "sandbox/sandbox.h"

/*
 * A device process may neither fork nor execute, and one may follow another
 * while render processes run on. So this one, which no guest's data reaches,
 * does that for them.
 */

#define FD 3

struct process {
	pid_t pid; /* 0: none */
	uint64_t id;
};

struct launcher {
	struct process process[VGPU_LAUNCH_PROCESSES_MAX];
	bool is_probed;
	uint32_t refused; /* layers of what we start; once it is_probed */
};

/* @fd stays the caller's; -1: none. */
static void reply_with(const struct vgpu_launch_reply *message, int fd)
{
	const struct iovec part = {(void *)message, sizeof(*message)};
	/* A device that reads nothing has no more than it asked for. */
	ssize_t n = vgpu_fds_send(FD, &part, 1, fd, 0);

	if (n < 0 && n != -EPIPE)
		fprintf(stderr, "vgpu-launch: cannot answer: %s\n",
			strerror((int)-n));
}

static void reply(const struct vgpu_launch_reply *message)
{
	reply_with(message, -1);
}

static struct process *find_pid(struct launcher *launcher, pid_t pid)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(launcher->process); i++)
		if (launcher->process[i].pid == pid)
			return &launcher->process[i];
	return NULL;
}

static struct process *find_id(struct launcher *launcher, uint64_t id)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(launcher->process); i++)
		if (launcher->process[i].pid && launcher->process[i].id == id)
			return &launcher->process[i];
	return NULL;
}

static void start_process(struct launcher *launcher, uint64_t id,
			  const int fds[2], size_t n_fds)
{
	struct process *place = find_pid(launcher, 0);
	struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_STARTED,
		.id = id,
	};
	vgpu_autoclose int statm = -1;
	struct vgpu_err err = {};
	pid_t pid = 0;
	int r;

	/* It takes processes, so it is done for the first. */
	if (!launcher->is_probed)
		launcher->refused = vgpu_start_probe();
	launcher->is_probed = true;
	answer.refused = launcher->refused;
	if (n_fds != 2)
		r = vgpu_err_set(&err, -EPROTO, NULL, "two sockets are needed");
	else if (!place)
		r = vgpu_err_set(&err, -EAGAIN, NULL, "too many processes");
	else
		r = vgpu_start(fds[0], fds[1], &pid, &err);
	if (r == 0 && place) {
		*place = (struct process){pid, id};
		statm = vgpu_start_open_statm(pid);
	}
	answer.status = r;
	snprintf(answer.text, sizeof(answer.text), "%.*s",
		 (int)sizeof(answer.text) - 1, err.text);
	reply_with(&answer, statm);
}

/* False: nobody asks any more. */
static bool handle_request(struct launcher *launcher)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct vgpu_launch_request request;
	struct iovec iov = {&request, sizeof(request)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	const struct process *process;
	int fds[2] = {-1, -1};
	size_t n_fds;
	ssize_t n = recvmsg(FD, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
	if (n == 0)
		return false;
	n_fds = vgpu_fds_take(&header, fds, 2);
	process = n == sizeof(request) ? find_id(launcher, request.id) : NULL;
	if (n == sizeof(request) && request.type == VGPU_LAUNCH_START)
		start_process(launcher, request.id, fds, n_fds);
	else if (process && request.type == VGPU_LAUNCH_KILL)
		kill(process->pid, SIGKILL);
	else if (process && request.type == VGPU_LAUNCH_LIMIT)
		vgpu_start_limit(process->pid, request.limit);
	else if (n == sizeof(request) && request.type == VGPU_LAUNCH_SYNC)
		reply(&(struct vgpu_launch_reply){
			.type = VGPU_LAUNCH_SYNCED,
			.id = request.id,
		});
	vgpu_close(fds[0]);
	vgpu_close(fds[1]);
	return true;
}

static void reap(struct launcher *launcher)
{
	siginfo_t info = {};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid) {
		struct process *process = find_pid(launcher, info.si_pid);

		if (process)
			reply(&(struct vgpu_launch_reply){
				.type = VGPU_LAUNCH_ENDED,
				.id = process->id,
				.code = info.si_code,
				.status = info.si_status,
			});
		if (process)
			*process = (struct process){};
		info.si_pid = 0;
	}
}

static void run(struct launcher *launcher, int signals)
{
	struct signalfd_siginfo number;
	struct pollfd fds[] = {
		{.fd = FD, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, VGPU_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		while (read(signals, &number, sizeof(number)) > 0)
			;
		reap(launcher);
		if (fds[0].revents && !handle_request(launcher))
			return; /* and all that we started dies with us */
	}
}

static int shut_in(struct vgpu_err *err)
{
	struct vgpu_sandbox_report report = {};
	/* The folder of recordings is that of who started us. */
	uint64_t kept = vgpu_start_record_folder() ? 1ULL << CAP_DAC_OVERRIDE : 0;
	char text[VGPU_ERR_TEXT_MAX];
	int r;

	r = vgpu_sandbox_begin(VGPU_SANDBOX_LAUNCHER, kept, &report, err);
	if (r < 0)
		return r;
	if (vgpu_sandbox_report_text(&report, text, sizeof(text)))
		fprintf(stderr, "vgpu-launch: it is shut in less: %s\n", text);
	return 0;
}

static int prepare(struct vgpu_err *err)
{
	close_range(FD + 1, UINT_MAX, 0);
	umask(0077);
	if (fcntl(FD, F_SETFD, FD_CLOEXEC) < 0)
		return vgpu_err_set(err, -errno, NULL, "no socket: %s",
				    strerror(errno));
	return vgpu_start_prepare(err);
}

/* It ends when its socket does, not when a terminal says so to all. */
static int open_signals(void)
{
	sigset_t all, child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	static struct launcher launcher;
	struct vgpu_err err = {};
	int signals = -1;
	int r;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("vgpu-launch " VGPU_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc != 1) {
		fputs("vgpu-launch is started by vgpud or vgpu-device\n", stderr);
		return 2;
	}
	r = prepare(&err);
	if (r >= 0) {
		signals = open_signals();
		r = signals < 0 ? vgpu_err_set(&err, -errno, NULL,
					       "no signals: %s", strerror(errno))
				: shut_in(&err);
	}
	if (r < 0) {
		fprintf(stderr, "vgpu-launch: %s\n", err.text);
		return EXIT_FAILURE;
	}
	run(&launcher, signals);
	_exit(EXIT_SUCCESS);
}
