/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes down every call of a process, once with each kind of arguments. */
#include "sandbox/seccomp_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"
#include "sandbox/report.h"
#include "sandbox/seccomp_rules.h"

#define SEEN_MAX 4096

/* Arguments that tell one use of a call from another. */
struct told {
	int call;
	uint8_t numbers;  /* a bit for each argument that is a number */
	uint8_t pointers; /* for each that is NULL or not */
	uint8_t pids;	  /* for each that is a process's or thread's id */
};

#define AT(n) (1u << (n))
static const struct told all_told[] = {
	{SCMP_SYS(write), AT(0), 0, 0},
	{SCMP_SYS(fcntl), AT(1) | AT(2), 0, 0},
	{SCMP_SYS(ioctl), AT(1), 0, 0},
	{SCMP_SYS(prctl), AT(0), 0, 0},
	{SCMP_SYS(mmap), AT(2) | AT(3), 0, 0},
	{SCMP_SYS(mprotect), AT(2), 0, 0},
	{SCMP_SYS(madvise), AT(2), 0, 0},
	{SCMP_SYS(mremap), AT(3), 0, 0},
	{SCMP_SYS(clone), AT(0), 0, 0},
	{SCMP_SYS(futex), AT(1), 0, 0},
	{SCMP_SYS(socket), AT(0) | AT(1), 0, 0},
	{SCMP_SYS(socketpair), AT(0) | AT(1), 0, 0},
	{SCMP_SYS(setsockopt), AT(1) | AT(2), 0, 0},
	{SCMP_SYS(getsockopt), AT(1) | AT(2), 0, 0},
	{SCMP_SYS(sendto), AT(3), AT(4), 0},
	{SCMP_SYS(recvfrom), AT(3), AT(4), 0},
	{SCMP_SYS(sendmsg), AT(2), 0, 0},
	{SCMP_SYS(recvmsg), AT(2), 0, 0},
	{SCMP_SYS(accept4), AT(3), AT(1), 0},
	{SCMP_SYS(prlimit64), AT(1), AT(2), AT(0)},
	{SCMP_SYS(tgkill), AT(2), 0, AT(0)},
	{SCMP_SYS(kill), AT(1), 0, AT(0)},
	{SCMP_SYS(pidfd_send_signal), AT(1) | AT(3), AT(2), 0},
	{SCMP_SYS(waitid), AT(0) | AT(3), 0, 0},
	{SCMP_SYS(setpriority), AT(0), 0, AT(1)},
	{SCMP_SYS(sched_setaffinity), 0, 0, AT(0)},
	{SCMP_SYS(sched_getaffinity), 0, 0, AT(0)},
	{SCMP_SYS(sched_setscheduler), AT(1), 0, AT(0)},
	{SCMP_SYS(clock_gettime), AT(0), 0, 0},
	{SCMP_SYS(clock_nanosleep), AT(0) | AT(1), 0, 0},
	{SCMP_SYS(getrandom), AT(2), 0, 0},
	{SCMP_SYS(memfd_create), AT(1), 0, 0},
	{SCMP_SYS(eventfd2), AT(1), 0, 0},
	{SCMP_SYS(epoll_create1), AT(0), 0, 0},
	{SCMP_SYS(timerfd_create), AT(0) | AT(1), 0, 0},
	{SCMP_SYS(membarrier), AT(0), 0, 0},
	{SCMP_SYS(execveat), AT(4), 0, 0},
	{SCMP_SYS(fallocate), AT(1), 0, 0},
	{SCMP_SYS(newfstatat), AT(3), 0, 0},
};

struct recorder {
	const struct vgpu_seccomp_list *list;
	int fd;	      /* what is written to */
	int listener; /* the kernel's questions */
	pid_t pid;    /* of the process that asks */
	size_t n;
	struct seccomp_data *seen;
};

static const struct told *find_told(int call)
{
	static const struct told nothing;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(all_told); i++)
		if (all_told[i].call == call)
			return &all_told[i];
	return &nothing;
}

/* What tells it from others of @argument, which is number @i. */
static uint64_t reduce_argument(const struct told *told, unsigned int i,
				uint64_t argument, pid_t own)
{
	if (told->numbers & AT(i))
		return argument & 0xffffffff;
	if (told->pointers & AT(i))
		return argument != 0;
	if (told->pids & AT(i)) /* 0: the caller; 1: its process */
		return (pid_t)argument == own ? 1 : (pid_t)argument ? 2 : 0;
	return 0;
}

static void reduce(struct seccomp_data *data, pid_t own)
{
	const struct told *told = find_told(data->nr);

	for (unsigned int i = 0; i < 6; i++)
		data->args[i] = reduce_argument(told, i, data->args[i], own);
	/* Of fds, no more than whether it is one of the first three. */
	if (data->nr == SCMP_SYS(write))
		data->args[0] = VGPU_MIN(data->args[0], 3ULL);
	/* No other command's argument is a number that counts. */
	if (data->nr == SCMP_SYS(fcntl) && data->args[1] != F_SETFL)
		data->args[2] = 0;
	data->instruction_pointer = 0;
}

static void write_down(struct recorder *recorder, const struct seccomp_data *data)
{
	const struct told *told = find_told(data->nr);
	vgpu_autofree char *name =
		seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, data->nr);
	static const char *const who[] = {"self", "own", "other"};
	char line[256];
	int n = snprintf(line, sizeof(line), "%s", name ? name : "?");

	for (unsigned int i = 0; i < 6; i++) {
		if (told->numbers & AT(i))
			n += snprintf(line + n, sizeof(line) - n, " %u=0x%llx",
				      i, (unsigned long long)data->args[i]);
		else if (told->pointers & AT(i))
			n += snprintf(line + n, sizeof(line) - n, " %u=%s", i,
				      data->args[i] ? "pointer" : "NULL");
		else if (told->pids & AT(i))
			n += snprintf(line + n, sizeof(line) - n, " %u=%s", i,
				      who[data->args[i]]);
	}
	line[n++] = '\n';
	if (write(recorder->fd, line, n) != n)
		_exit(EXIT_FAILURE);
}

static void handle(struct recorder *recorder, const struct seccomp_data *data)
{
	struct seccomp_data reduced = *data;

	reduce(&reduced, recorder->pid);
	for (size_t i = 0; i < recorder->n; i++)
		if (memcmp(&recorder->seen[i], &reduced, sizeof(reduced)) == 0)
			return;
	if (recorder->n == SEEN_MAX)
		return;
	recorder->seen[recorder->n++] = reduced;
	write_down(recorder, &reduced);
}

/* What the list refuses is refused: the process goes on another way. */
static int find_error(const struct recorder *recorder,
		      const struct seccomp_data *data)
{
	const struct vgpu_seccomp_list *list;

	for (list = recorder->list; list; list = list->base)
		for (size_t i = 0; i < list->n; i++)
			if (vgpu_seccomp_matches(&list->rule[i], data,
						 recorder->pid))
				return -list->rule[i].error;
	return 0;
}

__attribute__((noreturn)) static void serve(struct recorder *recorder)
{
	struct pollfd poll_fd = {.fd = recorder->listener, .events = POLLIN};
	struct seccomp_notif *question = NULL;
	struct seccomp_notif_resp *answer = NULL;

	if (seccomp_notify_alloc(&question, &answer) < 0)
		_exit(EXIT_FAILURE);
	for (;;) {
		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			break;
		if (!(poll_fd.revents & POLLIN)) /* its last thread is gone */
			break;
		memset(question, 0, sizeof(*question));
		if (seccomp_notify_receive(recorder->listener, question) < 0)
			continue;
		/* Not those of processes that it has started. */
		if (syscall(SYS_tgkill, recorder->pid, question->pid, 0) == 0)
			handle(recorder, &question->data);
		*answer = (struct seccomp_notif_resp){.id = question->id};
		answer->error = find_error(recorder, &question->data);
		if (!answer->error)
			answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		seccomp_notify_respond(recorder->listener, answer);
	}
	_exit(EXIT_SUCCESS);
}

/* Keeps the file and the listener only, and none that its parent may close. */
static void leave(struct recorder *recorder)
{
	if (unshare(CLONE_FILES) < 0)
		_exit(EXIT_FAILURE);
	recorder->fd = dup2(recorder->fd, 0);
	recorder->listener = dup2(recorder->listener, 1);
	close_range(2, UINT_MAX, 0);
}

static const char *const names[] = {
	[VGPU_SANDBOX_RENDER] = "render", [VGPU_SANDBOX_DEVICE] = "device",
	[VGPU_SANDBOX_VNC] = "vnc",	  [VGPU_SANDBOX_LAUNCHER] = "launcher",
	[VGPU_SANDBOX_REPLAY] = "replay",
};

static int open_file(void)
{
	char path[PATH_MAX];

	mkdir(VGPU_RECORD_CALLS, 0777);
	snprintf(path, sizeof(path), "%s/%d-%lx", VGPU_RECORD_CALLS, getpid(),
		 (unsigned long)time(NULL));
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* The files are made by processes that other layers would keep from that. */
_Bool vgpu_sandbox_is_without(enum vgpu_sandbox_layer layer)
{
	return layer != VGPU_LAYER_SECCOMP;
}

static int start(struct recorder *recorder, struct vgpu_err *err)
{
	atomic_int *listener;
	scmp_filter_ctx filter;
	pid_t pid;

	recorder->seen = calloc(SEEN_MAX, sizeof(*recorder->seen));
	listener = mmap(NULL, sizeof(*listener), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (recorder->fd < 0 || !recorder->seen || listener == MAP_FAILED)
		return vgpu_err_set(err, -errno, NULL, "cannot record: %s",
				    strerror(errno));
	atomic_store(listener, -1);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		while ((recorder->listener = atomic_load(listener)) < 0)
			usleep(1000);
		leave(recorder);
		atomic_store(listener, -2);
		serve(recorder);
	}
	filter = seccomp_init(SCMP_ACT_NOTIFY);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (pid < 0 || seccomp_load(filter) < 0)
		return vgpu_err_set(err, -EIO, NULL, "cannot record");
	atomic_store(listener, seccomp_notify_fd(filter));
	/* Any call would wait for an answer, and nobody listens yet. */
	while (atomic_load(listener) != -2)
		;
	close(seccomp_notify_fd(filter));
	close(recorder->fd);
	seccomp_release(filter);
	free(recorder->seen);
	return 0;
}

bool vgpu_seccomp_is_recording(enum vgpu_sandbox_role role)
{
	if (role == VGPU_SANDBOX_REPLAY)
		role = VGPU_SANDBOX_RENDER;
	return strcmp(names[role], VGPU_RECORD_ROLE) == 0;
}

int vgpu_seccomp_record(enum vgpu_sandbox_role role, struct vgpu_err *err)
{
	struct recorder recorder = {
		.list = vgpu_seccomp_list_of(role),
		.pid = getpid(),
	};

	recorder.fd = open_file();
	dprintf(recorder.fd, "# %s\n", names[role]);
	return start(&recorder, err);
}
