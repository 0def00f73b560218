/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel makes of each call of a process that is shut in: all numbers
 * in turn, known to us or not, and then what a process that a guest has taken
 * over would try on others.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sandbox/seccomp_rules.h"

/* Linux 6.18 has some 470. What comes next is refused as well. */
#define NUMBERS 600
/* The bit of x32's calls, and such a number that is none. */
#define X32 0x40000000

static const enum vgpu_sandbox_role roles[] = {
	VGPU_SANDBOX_RENDER,
	VGPU_SANDBOX_REPLAY,
	VGPU_SANDBOX_DEVICE,
	VGPU_SANDBOX_VNC,
};

/* A call with six arguments, and how a process ends that makes it. */
struct
try {
	enum vgpu_sandbox_role role;
	struct seccomp_data call;
};

enum outcome {
	CARRIED_OUT, /* whatever the kernel says to it */
	REFUSED,     /* with the list's error */
	KILLED,
};

#define MARK 42 /* the exit status of who was refused */

static long make_call(const struct seccomp_data *call)
{
	return syscall(call->nr, call->args[0], call->args[1], call->args[2],
		       call->args[3], call->args[4], call->args[5]);
}

/* In a process of its own, which may be gone then. */
static enum outcome outcome_of(const struct try *try)
{
	const struct rlimit no_core = {};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct vgpu_err err = {};

		setrlimit(RLIMIT_CORE, &no_core);
		for (int number = 1; number < NSIG; number++)
			signal(number, SIG_DFL);
		signal(SIGSYS, SIG_IGN); /* this is no way out */
		if (vgpu_seccomp_enter(try->role, -1, &err) < 0)
			_exit(125);
		if (make_call(&try->call) < 0 &&
		    (errno == EPERM || errno == ENOSYS))
			_exit(MARK);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 125);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == MARK)
		return REFUSED;
	return CARRIED_OUT;
}

/* What the list says. @own is not the pid of whoever will call. */
static enum outcome expected_of(const struct try *try)
{
	const struct vgpu_seccomp_list *list = vgpu_seccomp_list_of(try->role);

	for (; list; list = list->base)
		for (size_t i = 0; i < list->n; i++) {
			const struct vgpu_seccomp_rule *rule = &list->rule[i];

			if (vgpu_seccomp_counts(rule, false) &&
			    vgpu_seccomp_matches(rule, &try->call, 0))
				return rule->error ? REFUSED : CARRIED_OUT;
		}
	return KILLED;
}

static void check(const struct try *try)
{
	enum outcome expected = expected_of(try), is = outcome_of(try);

	if (is != expected)
		fail_msg("role %d, call %d: %d instead of %d", try->role,
			 try->call.nr, is, expected);
}

/*
 * uretprobe and uprobe: since Linux 6.14 no filter sees them. They serve probes
 * that the kernel itself has put into a program, and end others with SIGILL.
 */
static bool is_unfiltered(int number)
{
#ifdef __x86_64__
	return number == 335 || number == 336;
#else
	return false;
#endif
}

/* No argument is one that anything could be done with. */
static void test_all_numbers(void **state)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++)
		for (int number = 0; number < NUMBERS; number++) {
			struct try try = {roles[i], {.nr = number}};

			memset(try.call.args, 0xff, sizeof(try.call.args));
			/* It would do so; seccomp_use.c has it. */
			if (number == SCMP_SYS(pause))
				continue;
			if (!is_unfiltered(number))
				check(&try);
		}
}

static void test_other_abis(void **state)
{
#ifdef __x86_64__
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++)
		for (int number = 0; number < NUMBERS; number += 7) {
			const struct try try = {roles[i], {.nr = X32 | number}};

			assert_int_equal(outcome_of(&try), KILLED);
		}
#endif
}

#ifdef __x86_64__
/* getpid() of i386: the number is that of a call of ours. */
static void call_i386(void)
{
	long number = 20;

	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 :
			 : "memory", "r8", "r9", "r10", "r11");
	_exit(0);
}
#endif

static int end_of(enum vgpu_sandbox_role role, void (*act)(void))
{
	const struct rlimit no_core = {};
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct vgpu_err err = {};

		setrlimit(RLIMIT_CORE, &no_core);
		if (vgpu_seccomp_enter(role, -1, &err) < 0)
			_exit(125);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_i386(void **state)
{
#ifdef __x86_64__
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++) {
		int status = end_of(roles[i], call_i386);

		/* A kernel without that ABI: SIGSEGV. */
		assert_true(WIFSIGNALED(status));
		assert_true(WTERMSIG(status) == SIGSYS ||
			    WTERMSIG(status) == SIGSEGV);
	}
#endif
}

/* Set up outside, for who is inside to abuse. */
static struct {
	pid_t victim;
	int pair[2];
	char *path;
	struct sockaddr_un address;
} scene;

#define P(pointer) ((uint64_t)(uintptr_t)(pointer))
/* Reads as one call: its name and arguments. */
#define CALL(name, ...)                                                        \
	(const struct seccomp_data)                                            \
	{                                                                      \
		.nr = SCMP_SYS(name), .args = { __VA_ARGS__ }                  \
	}

static void assert_ends(enum vgpu_sandbox_role role, struct seccomp_data call)
{
	const struct try try = {role, call};
	enum outcome is = outcome_of(&try);

	if (is == CARRIED_OUT || expected_of(&try) == CARRIED_OUT)
		fail_msg("role %d, call %d is carried out", role, call.nr);
}

/* Of processes of the same user, by id, by fd and by what wakes a socket. */
static void try_others(enum vgpu_sandbox_role role)
{
	const uint64_t victim = (uint64_t)scene.victim;
	const int on = 1;
	const int owner[] = {F_OWNER_PID, scene.victim};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	assert_ends(role, CALL(kill, victim, SIGTERM));
	assert_ends(role, CALL(tkill, victim, SIGTERM));
	assert_ends(role, CALL(tgkill, victim, victim, SIGTERM));
	assert_ends(role, CALL(tgkill, (uint64_t)getpid(), victim, SIGTERM));
	assert_ends(role, CALL(rt_sigqueueinfo, victim, SIGTERM, P(&cpus)));
	assert_ends(role, CALL(pidfd_open, victim));
	assert_ends(role, CALL(pidfd_send_signal, 3, SIGTERM));
	assert_ends(role, CALL(ptrace, 16, victim));
	assert_ends(role, CALL(process_vm_writev, victim));
	assert_ends(role, CALL(process_madvise, 3));
	assert_ends(role, CALL(kcmp, victim, victim));
	assert_ends(role, CALL(prlimit64, victim, RLIMIT_NOFILE));
	assert_ends(role, CALL(setpriority, PRIO_PROCESS, victim, 19));
	assert_ends(role, CALL(setpriority, PRIO_USER, 0, 19));
	assert_ends(role, CALL(ioprio_set, 1, victim, 3 << 13));
	assert_ends(role,
		    CALL(sched_setaffinity, victim, sizeof(cpus), P(&cpus)));
	assert_ends(role, CALL(sched_setscheduler, victim, SCHED_IDLE, P(&cpus)));
	assert_ends(role, CALL(sched_setattr, victim, P(&cpus)));
	/* Whoever is told by a signal that a socket has something. */
	assert_ends(role, CALL(fcntl, scene.pair[0], F_SETOWN, victim));
	assert_ends(role, CALL(fcntl, scene.pair[0], F_SETOWN_EX, P(owner)));
	assert_ends(role, CALL(fcntl, scene.pair[0], F_SETSIG, SIGTERM));
	assert_ends(role, CALL(fcntl, scene.pair[0], F_SETFL, O_RDWR | O_ASYNC));
	assert_ends(role, CALL(fcntl, scene.pair[0], F_NOTIFY, 1));
	assert_ends(role, CALL(fcntl, scene.pair[0], F_SETLEASE, F_WRLCK));
	assert_ends(role,
		    CALL(ioctl, scene.pair[0], FIOSETOWN, P(&scene.victim)));
	assert_ends(role,
		    CALL(ioctl, scene.pair[0], SIOCSPGRP, P(&scene.victim)));
	assert_ends(role, CALL(ioctl, scene.pair[0], FIOASYNC, P(&on)));
}

static void try_paths(enum vgpu_sandbox_role role)
{
	const uint64_t path = P(scene.path), here = (uint64_t)AT_FDCWD;
	struct timeval times[2] = {};

	assert_ends(role, CALL(open, path, O_RDONLY));
	assert_ends(role, CALL(openat, here, path, O_RDONLY));
	assert_ends(role, CALL(openat2, here, path));
	assert_ends(role, CALL(chmod, path, 0777));
	assert_ends(role, CALL(fchmodat, here, path, 0777));
	assert_ends(role, CALL(fchmodat2, here, path, 0777));
	assert_ends(role, CALL(utimes, path, P(times)));
	assert_ends(role, CALL(futimesat, here, path, P(times)));
	assert_ends(role, CALL(setxattr, path, path));
	assert_ends(role, CALL(inotify_init1, 0));
	assert_ends(role, CALL(stat, path, P(times)));
	assert_ends(role, CALL(statx, here, path));
	assert_ends(role, CALL(access, path));
	assert_ends(role, CALL(readlink, path));
	assert_ends(role, CALL(execve, path));
	assert_ends(role, CALL(chdir, path));
	assert_ends(role, CALL(socket, AF_UNIX, SOCK_DGRAM));
	assert_ends(role,
		    CALL(socketpair, AF_UNIX, SOCK_DGRAM, 0, P(scene.pair)));
	assert_ends(role, CALL(sendto, scene.pair[0], path, 1, 0,
			       P(&scene.address), sizeof(scene.address)));
	assert_ends(role, CALL(shmctl, 0, 0));
	assert_ends(role, CALL(landlock_create_ruleset, 0, 0, 1));
}

/* What would make of one process two, or of data code. */
static void try_self(enum vgpu_sandbox_role role)
{
	const uint64_t both = PROT_WRITE | PROT_EXEC;

	assert_ends(role, CALL(fork, 0));
	assert_ends(role, CALL(vfork, 0));
	assert_ends(role, CALL(clone, SIGCHLD));
	assert_ends(role, CALL(clone, CLONE_VM | CLONE_VFORK | SIGCHLD));
	assert_ends(role, CALL(clone, CLONE_NEWUSER | SIGCHLD));
	assert_ends(role, CALL(clone3, 0));
	assert_ends(role, CALL(unshare, CLONE_NEWUSER));
	assert_ends(role, CALL(mmap, 0, 4096, both, MAP_PRIVATE | MAP_ANONYMOUS,
			       (uint64_t)-1));
	assert_ends(role, CALL(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED,
			       scene.pair[0]));
	assert_ends(role, CALL(mmap, 0, 4096, PROT_READ,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED));
	assert_ends(role, CALL(mprotect, 0, 4096, both));
	assert_ends(role, CALL(pkey_mprotect, 0, 4096, both));
	assert_ends(role, CALL(mlock, 0, 4096));
	assert_ends(role, CALL(madvise, 0, 4096, MADV_HWPOISON));
	assert_ends(role, CALL(futex, P(scene.path), FUTEX_LOCK_PI));
	assert_ends(role, CALL(prctl, PR_SET_DUMPABLE, 1));
	assert_ends(role, CALL(prctl, PR_SET_PDEATHSIG, 0));
	assert_ends(role, CALL(prctl, PR_SET_SECCOMP, 0));
	assert_ends(role, CALL(prctl, PR_SET_MM, 0));
	assert_ends(role, CALL(seccomp, 0));
	assert_ends(role, CALL(setrlimit, RLIMIT_NOFILE, P(scene.path)));
	assert_ends(role, CALL(userfaultfd, 0));
	assert_ends(role, CALL(io_uring_setup, 1));
	assert_ends(role, CALL(bpf, 0));
	assert_ends(role, CALL(memfd_secret, 0));
	assert_ends(role, CALL(reboot, 0));
	assert_ends(role, CALL(iopl, 3));
	assert_ends(role, CALL(setuid, 0));
}

static int set_up(void **state)
{
	scene.path = strdup("/tmp/seccomp-calls.XXXXXX");
	assert_non_null(scene.path);
	close(mkstemp(scene.path));
	scene.address.sun_family = AF_UNIX;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, scene.pair), 0);
	scene.victim = fork();
	assert_true(scene.victim >= 0);
	if (scene.victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return 0;
}

static int tear_down(void **state)
{
	kill(scene.victim, SIGKILL);
	waitpid(scene.victim, NULL, 0);
	unlink(scene.path);
	free(scene.path);
	close(scene.pair[0]);
	close(scene.pair[1]);
	return 0;
}

static void test_attacks(void **state)
{
	int status;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++) {
		try_others(roles[i]);
		try_paths(roles[i]);
		try_self(roles[i]);
	}
	/* Nothing has reached the one outside. */
	assert_int_equal(waitpid(scene.victim, &status, WNOHANG | WUNTRACED), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)scene.victim),
			 getpriority(PRIO_PROCESS, 0));
}

static void *kill_the_victim(void *ready)
{
	char byte;

	/* The end of the pipe: the other thread is in. */
	while (read(*(int *)ready, &byte, 1) < 0)
		;
	kill(scene.victim, SIGTERM);
	return NULL;
}

/* A thread that was there before is held to it as well. */
static void test_all_threads(void **state)
{
	const struct rlimit no_core = {};
	int ready[2], status = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct vgpu_err err = {};
		pthread_t thread;

		setrlimit(RLIMIT_CORE, &no_core);
		if (pthread_create(&thread, NULL, kill_the_victim, &ready[0]) ||
		    vgpu_seccomp_enter(VGPU_SANDBOX_RENDER, -1, &err) < 0)
			_exit(125);
		close(ready[1]);
		pthread_join(thread, NULL);
		_exit(0);
	}
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* The whole process, not that thread alone. */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* Nothing that is denied is carried out, and what starts a driver is. */
static void deny_in_child(void)
{
	const struct vgpu_seccomp_list *list = &vgpu_seccomp_launcher;
	struct seccomp_data call;

	for (size_t i = 0; i < list->n; i++) {
		call = (struct seccomp_data){.nr = list->rule[i].call};
		memset(call.args, 0xff, sizeof(call.args));
		errno = 0;
		if (call.nr >= 0 && (make_call(&call) != -1 || errno != ENOSYS))
			_exit(1 + (int)i);
	}
	/* As by a child that one filter more will be of. */
	if (open("/", O_RDONLY) < 0 || fork() < 0 || memfd_create("x", 0) < 0)
		_exit(100);
}

static void test_launcher(void **state)
{
	int status = end_of(VGPU_SANDBOX_LAUNCHER, deny_in_child);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* What its child is to be ended for does not fail instead. */
static void call_as_its_child(void)
{
	struct vgpu_err err = {};

	if (vgpu_seccomp_enter(VGPU_SANDBOX_DEVICE, -1, &err) < 0)
		_exit(125);
	syscall(SYS_ptrace, 16, 1, 0, 0);
}

static void test_child_of_launcher(void **state)
{
	int status = end_of(VGPU_SANDBOX_LAUNCHER, call_as_its_child);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* As the filter of a service does: then there is no namespace, and no failure. */
static void be_shut_in_without_capset(void)
{
	struct vgpu_sandbox_report report = {};
	struct vgpu_err err = {};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(capset),
			     0) < 0 ||
	    seccomp_load(filter) < 0)
		_exit(125);
	if (vgpu_sandbox_begin(VGPU_SANDBOX_DEVICE, 0, &report, &err) < 0 ||
	    vgpu_sandbox_finish(VGPU_SANDBOX_DEVICE, -1, &report, &err) < 0)
		_exit(1);
	_exit(report.refused & 1U << VGPU_LAYER_USER ? 0 : 2);
}

static void test_service_without_capset(void **state)
{
	int status = 0;
	pid_t child;

	if (geteuid() != 0)
		skip();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		be_shut_in_without_capset();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_numbers),
		cmocka_unit_test(test_other_abis),
		cmocka_unit_test(test_i386),
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_all_threads),
		cmocka_unit_test(test_launcher),
		cmocka_unit_test(test_child_of_launcher),
		cmocka_unit_test(test_service_without_capset),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
