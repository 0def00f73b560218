/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the C library does now and then for us or a driver, and no other test
 * can bring about: under the filters it does so, too. Where calls are recorded
 * these are part of the record.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/util.h"
#include "sandbox/seccomp.h"

#define BIG ((size_t)8 << 20)

static void on_signal(int number)
{
}

static const enum vgpu_sandbox_role roles[] = {
	VGPU_SANDBOX_RENDER,
	VGPU_SANDBOX_DEVICE,
	VGPU_SANDBOX_VNC,
};

/* Returns how a process ended that does @use under the filter. */
static int end_of(enum vgpu_sandbox_role role, void (*use)(void))
{
	const struct rlimit no_core = {};
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct vgpu_err err = {};

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGUSR1, on_signal);
		if (vgpu_seccomp_enter(role, -1, &err) < 0)
			_exit(125);
		use();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void use_abort(void)
{
	abort();
}

static void test_abort(void **state)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++) {
		int status = end_of(roles[i], use_abort);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

static void use_memory(void)
{
	char *big = malloc(BIG);
	char *bigger = realloc(big, 4 * BIG);

	if (!bigger)
		_exit(1);
	memset(bigger, 1, BIG);
	free(bigger);
}

static void use_stderr(void)
{
	if (write(STDERR_FILENO, "", 0) < 0 || write(STDOUT_FILENO, "", 0) < 0)
		_exit(1);
}

/* A handler comes back by a call of its own. */
static void use_handler(void)
{
	raise(SIGUSR1);
}

/* As where the clock is not in the vDSO. */
static void use_clock(void)
{
	struct timespec now;

	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) < 0)
		_exit(1);
}

static void use_old_clock(void)
{
	struct timeval now;

	if (syscall(SYS_gettimeofday, &now, NULL) < 0)
		_exit(1);
}

/* What a driver would have, and goes on without. */
static void use_refused(void)
{
	const struct sched_param param = {};
	char text[64];
	struct stat status;
	cpu_set_t cpus;
	FILE *file = fopen("/proc/meminfo", "r");

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (file || access("/", R_OK) == 0 || stat("/", &status) == 0 ||
	    readlink("/proc/self/exe", text, sizeof(text)) > 0 ||
	    sysconf(_SC_NPROCESSORS_ONLN) < 1 ||
	    pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) == 0 ||
	    sched_setscheduler(0, SCHED_BATCH, &param) == 0)
		_exit(1);
}

static void *do_nothing(void *nothing)
{
	pthread_setname_np(pthread_self(), "nothing");
	setpriority(PRIO_PROCESS, 0, 1); /* a ring's wish */
	sched_yield();
	return NULL;
}

static void use_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL) ||
	    pthread_join(thread, NULL))
		_exit(1);
}

static void use_libraries(void)
{
	FILE *file = fopen("/proc/meminfo", "r");

	if (file || access("/", R_OK) == 0 || socket(AF_UNIX, SOCK_DGRAM, 0) >= 0)
		_exit(1);
}

static void test_uses(void **state)
{
	static const struct {
		enum vgpu_sandbox_role role;
		void (*use)(void);
	} own[] = {
		{VGPU_SANDBOX_RENDER, use_stderr},
		{VGPU_SANDBOX_RENDER, use_refused},
		{VGPU_SANDBOX_RENDER, use_thread},
		{VGPU_SANDBOX_RENDER, use_old_clock},
		{VGPU_SANDBOX_VNC, use_old_clock},
		{VGPU_SANDBOX_VNC, use_libraries},
	};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++) {
		assert_int_equal(end_of(roles[i], use_memory), 0);
		assert_int_equal(end_of(roles[i], use_handler), 0);
		assert_int_equal(end_of(roles[i], use_clock), 0);
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(own); i++)
		assert_int_equal(end_of(own[i].role, own[i].use), 0);
}

static char state_of(pid_t pid)
{
	char path[64], state = 0;
	vgpu_autofclose FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	return state;
}

/* A wait that has an end is taken up again by a call of its own. */
static void check_stopped(enum vgpu_sandbox_role role)
{
	int ready[2], status = 0;
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct vgpu_err err = {};

		if (vgpu_seccomp_enter(role, -1, &err) < 0)
			_exit(125);
		close(ready[1]);
		if (role == VGPU_SANDBOX_RENDER)
			usleep(300 * 1000);
		else
			poll(NULL, 0, 300);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	while (state_of(child) == 'R')
		sched_yield();
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	if (WIFSTOPPED(status)) {
		assert_int_equal(kill(child, SIGCONT), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_int_equal(status, 0);
}

static void test_stopped(void **state)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++)
		check_stopped(roles[i]);
}

static void *wait_for_ever(void *nothing)
{
	pause();
	return NULL;
}

static void use_pause(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_ever, NULL);
	usleep(1000);
}

static void test_pause(void **state)
{
	assert_int_equal(end_of(VGPU_SANDBOX_RENDER, use_pause), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
