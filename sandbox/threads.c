/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run a function in every thread of this process, including the driver's. */
#include "sandbox/threads.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

/* Drivers block all signals in their threads but the one that seccomp uses. */
#define SIGNAL SIGSYS
/* A thread that does not run for so long means that the machine hangs. */
#define ANSWER_S      10
#define LOOK_AGAIN_NS 2000000L
#define THREADS_MAX   1024

/* Static: a signal has one handler for the whole process. */
static struct {
	int (*call)(void *opaque);
	void *opaque;
	_Atomic int result;
	sem_t answered;
} current;

static void on_signal(int number)
{
	int saved = errno;
	int r = current.call(current.opaque);

	if (r < 0)
		current.result = r;
	sem_post(&current.answered);
	errno = saved;
}

/*
 * Read a thread's id in our process namespace. /proc may show another
 * namespace; the last number of NSpid is ours. @ret_is_deaf: it blocks the
 * signal. Returns 0 if the thread has ended.
 */
static pid_t read_thread(pid_t listed, bool *ret_is_deaf)
{
	char path[64], line[256];
	vgpu_autofclose FILE *status = NULL;
	unsigned long long blocked = 0;
	pid_t number = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", listed);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "NSpid:", 6) == 0)
			number = (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	}
	*ret_is_deaf = blocked & (1ULL << (SIGNAL - 1));
	return number;
}

static bool is_answered(const struct timespec *until)
{
	while (sem_clockwait(&current.answered, CLOCK_MONOTONIC, until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

/*
 * libc blocks all signals in a thread that is starting or ending. Try such a
 * thread again later: it runs by then, or has ended together with its pending
 * signal.
 */
static int ask(pid_t listed)
{
	bool is_sent = false, is_deaf;
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ANSWER_S;
	do {
		pid_t thread = read_thread(listed, &is_deaf);
		struct timespec soon;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (thread == (pid_t)syscall(SYS_gettid))
			return 0;
		if (thread == 0)
			return is_answered(&now) ? current.result : 0;
		if (!is_sent && !is_deaf) {
			if (syscall(SYS_tgkill, getpid(), thread, SIGNAL) == 0)
				is_sent = true;
			else if (errno != ESRCH)
				return -errno;
		}
		soon = now;
		soon.tv_nsec += LOOK_AGAIN_NS;
		if (soon.tv_nsec >= 1000000000L) {
			soon.tv_nsec -= 1000000000L;
			soon.tv_sec++;
		}
		if (is_answered(&soon))
			return current.result;
	} while (now.tv_sec < end.tv_sec);
	return -ESRCH;
}

static bool is_among(const pid_t *threads, size_t n, pid_t thread)
{
	for (size_t i = 0; i < n; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

/*
 * Signal the threads in the folder that are not in @asked yet. Returns how
 * many, or -errno.
 */
static int ask_new(DIR *folder, pid_t *asked, size_t *n_asked)
{
	const struct dirent *entry;
	int n = 0;

	rewinddir(folder);
	while ((entry = readdir(folder))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
		int r;

		if (thread <= 0 || is_among(asked, *n_asked, thread))
			continue;
		if (*n_asked == THREADS_MAX)
			return -ESRCH;
		asked[(*n_asked)++] = thread;
		r = ask(thread);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/*
 * Repeat until no new thread appears: threads that were confined start confined
 * ones only.
 */
static int ask_all(void)
{
	pid_t asked[THREADS_MAX];
	size_t n_asked = 0; /* include this thread, which needs no signal */
	DIR *folder = opendir("/proc/self/task");
	int r;

	if (!folder)
		return -errno;
	do {
		r = ask_new(folder, asked, &n_asked);
	} while (r > 0);
	closedir(folder);
	return r;
}

int vgpu_each_thread(int (*call)(void *opaque), void *opaque)
{
	struct sigaction action = {.sa_handler = on_signal}, old;
	int r;

	current.call = call;
	current.opaque = opaque;
	current.result = 0;
	if (sem_init(&current.answered, 0, 0) < 0 ||
	    sigaction(SIGNAL, &action, &old) < 0)
		return -errno;
	r = ask_all();
	/* This thread last: it needs /proc for the others. */
	if (r == 0)
		r = call(opaque);
	sigaction(SIGNAL, &old, NULL);
	sem_destroy(&current.answered);
	return r;
}
