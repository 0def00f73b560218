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
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/launch/abi.h"
#include "device/launch/calls.h"
#include "device/launch/kept.h"
#include "device/launch/output.h"
#include "device/launch/start.h"
#include "lib/fds.h"
#include "lib/util.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"

/*
 * A device process may neither fork nor execute, and may be replaced while its
 * render processes run on. So this process, which handles no guest data, starts
 * them.
 */

#define FD 3

struct launcher {
	struct vgpu_kept kept;
	bool is_probed;
	uint32_t refused; /* layers of what we start; once it is_probed */
	/* Readable when the device that has the other end is dead; or -1. */
	int lease;
	int64_t alone_ms;  /* how long anything lives then */
	int64_t alone_end; /* when that is over; 0: there is a device */
	struct vgpu_output output;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The fds stay the caller's. */
static void send_reply(const struct vgpu_launch_reply *message, const int *fds,
		       size_t n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VGPU_LAUNCH_FDS_MAX * sizeof(int))];
	} control = {};
	struct iovec part = {(void *)message, sizeof(*message)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
		};
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	/* A device that reads nothing only misses its own answers. */
	do
		n = sendmsg(FD, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EPIPE)
		fprintf(stderr, "vgpu-launch: cannot answer: %s\n",
			strerror(errno));
}

/* Send STARTED with the fds by which the process is reached. */
static void reply_started(const struct launcher *launcher,
			  struct vgpu_kept_process *process)
{
	struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_STARTED,
		.id = process->id,
		.refused = launcher->refused,
		.n_files = process->n_files,
	};
	int fds[VGPU_LAUNCH_FDS_MAX] = {process->socket[0], process->socket[1]};
	vgpu_autoclose int statm = vgpu_start_open_statm(process->pid);
	size_t n = 2;

	for (uint32_t i = 0; i < process->n_files; i++)
		fds[n++] = process->file[i];
	if (statm >= 0)
		fds[n++] = statm;
	process->is_named = true;
	send_reply(&answer, fds, n);
}

/*
 * Make a pair with a large buffer, where a guest's messages to its context
 * wait. The system's limit may allow less, which is fine.
 */
static int make_pair(int ret_pair[2])
{
	static const int room = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_pair) < 0)
		return -errno;
	setsockopt(ret_pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return 0;
}

static int start_render(const struct launcher *launcher,
			struct vgpu_kept_process *place, uint64_t id,
			struct vgpu_err *err)
{
	int command[2] = {-1, -1}, memory[2] = {-1, -1}, calls[2] = {-1, -1};
	pid_t pid = 0;
	int r = make_pair(command);

	if (r == 0)
		r = make_pair(memory);
	if (r == 0)
		r = make_pair(calls);
	if (r < 0)
		vgpu_err_set(err, r, NULL, "no socket: %s", strerror(-r));
	else
		r = vgpu_start(
			&(struct vgpu_start_fds){command[1], memory[1], calls[1],
						 launcher->output.pipe[1]},
			&pid, err);
	vgpu_close(command[1]);
	vgpu_close(memory[1]);
	vgpu_close(calls[1]);
	if (r < 0) {
		vgpu_close(command[0]);
		vgpu_close(memory[0]);
		vgpu_close(calls[0]);
		return r;
	}
	*place = (struct vgpu_kept_process){
		.pid = pid,
		.id = id,
		.socket = {command[0], memory[0]},
		.calls = calls[0],
		.call = -1,
	};
	return 0;
}

static void start_process(struct launcher *launcher, uint64_t id)
{
	struct vgpu_kept_process *place = vgpu_kept_find_pid(&launcher->kept, 0);
	struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_STARTED,
		.id = id,
	};
	struct vgpu_err err = {};

	/* The probe starts processes, so do it once, before the first START. */
	if (!launcher->is_probed)
		launcher->refused = vgpu_start_probe();
	launcher->is_probed = true;
	answer.status =
		place ? start_render(launcher, place, id, &err)
		      : vgpu_err_set(&err, -EAGAIN, NULL, "too many processes");
	if (answer.status == 0 && place) {
		reply_started(launcher, place);
		return;
	}
	snprintf(answer.text, sizeof(answer.text), "%.*s",
		 (int)sizeof(answer.text) - 1, err.text);
	send_reply(&answer, NULL, 0);
}

static void adopt_process(struct launcher *launcher, uint64_t id)
{
	struct vgpu_kept_process *process =
		vgpu_kept_find_id(&launcher->kept, id);
	const struct vgpu_launch_reply none = {
		.type = VGPU_LAUNCH_STARTED,
		.id = id,
		.status = -ESRCH,
	};

	if (process)
		reply_started(launcher, process);
	else
		send_reply(&none, NULL, 0);
}

static void begin_lease(struct launcher *launcher, uint64_t id)
{
	const struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_BEGUN,
		.id = id,
	};
	int pair[2] = {-1, -1};

	/* Without a lease it ends when nobody holds its socket any more. */
	if (pipe2(pair, O_CLOEXEC) < 0)
		fprintf(stderr, "vgpu-launch: no pipe: %s\n", strerror(errno));
	vgpu_close(launcher->lease);
	launcher->lease = pair[0];
	launcher->alone_end = 0;
	vgpu_kept_begin(&launcher->kept);
	send_reply(&answer, &pair[1], pair[1] >= 0);
	vgpu_close(pair[1]);
}

static void fetch_files(struct launcher *launcher, uint64_t id)
{
	int fd = vgpu_kept_get(&launcher->kept, id);
	const struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_FETCHED,
		.id = id,
		.status = fd < 0 ? -ENOENT : 0,
	};

	send_reply(&answer, &fd, fd >= 0);
}

static void reply_synced(uint64_t id)
{
	const struct vgpu_launch_reply answer = {
		.type = VGPU_LAUNCH_SYNCED,
		.id = id,
	};

	send_reply(&answer, NULL, 0);
}

/* What is about a process that there is. */
static void handle_process(struct vgpu_kept_process *process,
			   const struct vgpu_launch_request *request, int *fd)
{
	switch (request->type) {
	case VGPU_LAUNCH_KILL:
		vgpu_calls_look(process);
		kill(process->pid, SIGKILL);
		break;
	case VGPU_LAUNCH_LIMIT:
		vgpu_start_limit(process->pid, request->limit);
		break;
	case VGPU_LAUNCH_KEEP_FILE:
		vgpu_kept_add_file(process, vgpu_steal_fd(fd));
		break;
	default:
		break;
	}
}

static void handle_message(struct launcher *launcher,
			   const struct vgpu_launch_request *request, int *fd)
{
	struct vgpu_kept_process *process;

	switch (request->type) {
	case VGPU_LAUNCH_START:
		start_process(launcher, request->id);
		break;
	case VGPU_LAUNCH_SYNC:
		reply_synced(request->id);
		break;
	case VGPU_LAUNCH_BEGIN:
		begin_lease(launcher, request->id);
		break;
	case VGPU_LAUNCH_ADOPT:
		adopt_process(launcher, request->id);
		break;
	case VGPU_LAUNCH_KEEP:
		vgpu_kept_put(&launcher->kept, request->id, vgpu_steal_fd(fd));
		break;
	case VGPU_LAUNCH_DROP:
		vgpu_kept_drop(&launcher->kept, request->id);
		break;
	case VGPU_LAUNCH_FETCH:
		fetch_files(launcher, request->id);
		break;
	case VGPU_LAUNCH_END_OTHERS:
		vgpu_kept_end_others(&launcher->kept);
		break;
	default:
		process = vgpu_kept_find_id(&launcher->kept, request->id);
		if (process)
			handle_process(process, request, fd);
	}
}

/* False: nobody asks any more. */
static bool handle_request(struct launcher *launcher)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct vgpu_launch_request request;
	struct iovec iov = {&request, sizeof(request)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	vgpu_autoclose int fd = -1;
	ssize_t n = recvmsg(FD, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
	if (n == 0)
		return false;
	vgpu_fds_take(&header, &fd, 1);
	if (n == sizeof(request))
		handle_message(launcher, &request, &fd);
	return true;
}

static void reap_processes(struct launcher *launcher)
{
	siginfo_t info = {};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid) {
		struct vgpu_kept_process *process =
			vgpu_kept_find_pid(&launcher->kept, info.si_pid);
		const struct vgpu_launch_reply answer = {
			.type = VGPU_LAUNCH_ENDED,
			.id = process ? process->id : 0,
			.code = info.si_code,
			.status = info.si_status,
			.call = process ? process->call : -1,
		};

		if (process) {
			vgpu_kept_forget(process);
			send_reply(&answer, NULL, 0);
		}
		info.si_pid = 0;
	}
}

/* The device is dead: wait for a successor, but not for ever. */
static void lose_device(struct launcher *launcher)
{
	launcher->lease = vgpu_close(launcher->lease);
	launcher->alone_end = now_ms() + launcher->alone_ms;
}

static int get_timeout(const struct launcher *launcher)
{
	int64_t left = launcher->alone_end - now_ms();

	return launcher->alone_end ? (int)VGPU_MAX(left, 0) : -1;
}

#define POLLED_MAX VGPU_LAUNCH_PROCESSES_MAX

static void fill_calls(const struct launcher *launcher, struct pollfd *fds)
{
	for (size_t i = 0; i < POLLED_MAX; i++) {
		const struct vgpu_kept_process *process =
			&launcher->kept.process[i];

		fds[i] = (struct pollfd){
			.fd = process->pid ? process->calls : -1,
			.events = POLLIN,
		};
	}
}

static void handle_calls(struct launcher *launcher, const struct pollfd *fds)
{
	for (size_t i = 0; i < POLLED_MAX; i++)
		if (fds[i].revents)
			vgpu_calls_handle(&launcher->kept.process[i]);
}

static void run(struct launcher *launcher, int signals)
{
	struct signalfd_siginfo number;

	for (;;) {
		struct pollfd fds[4 + POLLED_MAX] = {
			{.fd = FD, .events = POLLIN},
			{.fd = signals, .events = POLLIN},
			{.fd = launcher->lease, .events = POLLIN},
			{.fd = launcher->output.pipe[0], .events = POLLIN},
		};

		fill_calls(launcher, fds + 4);
		if (poll(fds, VGPU_ARRAY_SIZE(fds), get_timeout(launcher)) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		/*
		 * Before ENDED is sent, and before their entries are used
		 * again.
		 */
		handle_calls(launcher, fds + 4);
		if (fds[3].revents)
			vgpu_output_read(&launcher->output);
		while (read(signals, &number, sizeof(number)) > 0)
			;
		reap_processes(launcher);
		if (fds[2].revents)
			lose_device(launcher);
		if (fds[0].revents && !handle_request(launcher))
			return; /* and all that we started dies with us */
		if (launcher->alone_end && now_ms() >= launcher->alone_end) {
			launcher->alone_end = 0;
			vgpu_kept_begin(&launcher->kept);
			vgpu_kept_end_others(&launcher->kept);
		}
	}
}

static int64_t read_alone_ms(void)
{
	const char *told = secure_getenv("VGPU_ALONE_SECONDS");
	unsigned long seconds = told ? strtoul(told, NULL, 10) : 0;

	return (int64_t)(seconds > 0 && seconds < 86400 ? seconds
							: VGPU_LAUNCH_ALONE_S) *
	       1000;
}

static int shut_in(struct vgpu_err *err)
{
	struct vgpu_sandbox_report report = {};
	/* Recordings go to the folder that our starter has chosen. */
	uint64_t kept = vgpu_start_record_folder() ? 1ULL << CAP_DAC_OVERRIDE : 0;
	char text[VGPU_ERR_TEXT_MAX];
	int r;

	r = vgpu_sandbox_begin(VGPU_SANDBOX_LAUNCHER, kept, &report, err);
	if (r >= 0)
		r = vgpu_seccomp_enter(VGPU_SANDBOX_LAUNCHER, -1, err);
	if (r < 0)
		return r;
	if (vgpu_sandbox_report_text(&report, text, sizeof(text)))
		fprintf(stderr, "vgpu-launch: it is shut in less: %s\n", text);
	return 0;
}

static int prepare_launcher(struct vgpu_err *err)
{
	struct rlimit files;

	close_range(FD + 1, UINT_MAX, 0);
	/* Kept files are fds: some ten thousands at most. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(0077);
	if (fcntl(FD, F_SETFD, FD_CLOEXEC) < 0)
		return vgpu_err_set(err, -errno, NULL, "no socket: %s",
				    strerror(errno));
	return vgpu_start_prepare(err);
}

/* Ignore a terminal's signals: it ends when its socket closes. */
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
	static struct launcher launcher = {.lease = -1};
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
	r = prepare_launcher(&err);
	if (r >= 0 && vgpu_output_open(&launcher.output) < 0)
		r = vgpu_err_set(&err, -errno, NULL, "no pipe: %s",
				 strerror(errno));
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
	launcher.alone_ms = read_alone_ms();
	run(&launcher, signals);
	vgpu_output_finish(&launcher.output);
	_exit(EXIT_SUCCESS);
}
