/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest that owns its render process would try, once that is shut in. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched/types.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "render/abi.h"
#include "sandbox/report.h"

#define FIOSETOWN 0x8901
#define FIOASYNC  0x5452

/* VGPU_SANDBOX_ATTEMPT="NAME VICTIM PATH": a process, and a socket of its. */
static pid_t victim;
static char path[100];

/* The next packet of the device's sends the signal. */
static long own_by_fcntl(int number, pid_t owner)
{
	int fd = VGPU_RENDER_FD_COMMAND;

	if (fcntl(fd, F_SETOWN, owner) < 0 || fcntl(fd, F_SETSIG, number) < 0)
		return -1;
	return fcntl(fd, F_SETFL, O_RDWR | O_ASYNC);
}

static long own_by_ioctl(int number)
{
	int fd = VGPU_RENDER_FD_COMMAND, on = 1;

	if (ioctl(fd, FIOSETOWN, &victim) < 0 || fcntl(fd, F_SETSIG, number) < 0)
		return -1;
	return ioctl(fd, FIOASYNC, &on);
}

static long own_ex(void)
{
	const struct f_owner_ex owner = {F_OWNER_PID, victim};

	if (fcntl(VGPU_RENDER_FD_COMMAND, F_SETOWN_EX, &owner) < 0 ||
	    fcntl(VGPU_RENDER_FD_COMMAND, F_SETSIG, SIGKILL) < 0)
		return -1;
	return fcntl(VGPU_RENDER_FD_COMMAND, F_SETFL, O_RDWR | O_ASYNC);
}

static long kill_by_pidfd(void)
{
	long fd = syscall(SYS_pidfd_open, victim, 0);

	return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static long kill_by_proc(void)
{
	char folder[64];
	int fd;

	snprintf(folder, sizeof(folder), "/proc/%d", victim);
	fd = open(folder, O_DIRECTORY | O_RDONLY);
	return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static long queue_signal(void)
{
	siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, victim, SIGKILL, &info);
}

static long set_idle(void)
{
	const struct sched_param none = {};

	return sched_setscheduler(victim, SCHED_IDLE, &none);
}

static long set_attributes(void)
{
	/* To be nicer takes no right, whatever the tests run at. */
	struct sched_attr attr = {.size = sizeof(attr),
				  .sched_policy = SCHED_BATCH,
				  .sched_nice = 19};

	return syscall(SYS_sched_setattr, victim, &attr, 0);
}

static long set_affinity(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return sched_setaffinity(victim, sizeof(one), &one);
}

static long set_limit(void)
{
	const struct rlimit files = {3, 3};

	return prlimit(victim, RLIMIT_NOFILE, &files, NULL);
}

static long read_memory(void)
{
	char byte;
	struct iovec ours = {&byte, 1}, theirs = {&victim, 1};
	long r = process_vm_readv(victim, &ours, 1, &theirs, 1, 0);

	/* That nothing is at that address is known after the permission only. */
	return r < 0 && errno == EFAULT ? 0 : r;
}

static long open_memory(void)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/%d/mem", victim);
	return open(file, O_RDWR);
}

static void fill_address(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, strlen(path));
}

static long send_datagram(void)
{
	struct sockaddr_un address;
	int pair[2];

	fill_address(&address);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return -1;
	return sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address,
		      sizeof(address));
}

static long try(const char *name)
{
	if (strcmp(name, "setown-kill") == 0)
		return own_by_fcntl(SIGKILL, victim);
	if (strcmp(name, "setown-stop") == 0)
		return own_by_fcntl(SIGSTOP, victim);
	if (strcmp(name, "setown-group") == 0)
		return own_by_fcntl(SIGKILL, -victim);
	if (strcmp(name, "setown-ex") == 0)
		return own_ex();
	if (strcmp(name, "fiosetown-kill") == 0)
		return own_by_ioctl(SIGKILL);
	if (strcmp(name, "fiosetown-stop") == 0)
		return own_by_ioctl(SIGSTOP);
	if (strcmp(name, "kill") == 0)
		return kill(victim, SIGKILL);
	if (strcmp(name, "kill-group") == 0)
		return kill(-victim, SIGKILL);
	if (strcmp(name, "tkill") == 0)
		return syscall(SYS_tkill, victim, SIGKILL);
	if (strcmp(name, "tgkill") == 0)
		return syscall(SYS_tgkill, victim, victim, SIGKILL);
	if (strcmp(name, "sigqueue") == 0)
		return queue_signal();
	if (strcmp(name, "pidfd") == 0)
		return kill_by_pidfd();
	if (strcmp(name, "proc-pidfd") == 0)
		return kill_by_proc();
	if (strcmp(name, "scheduler") == 0)
		return set_idle();
	if (strcmp(name, "sched-attr") == 0)
		return set_attributes();
	if (strcmp(name, "affinity") == 0)
		return set_affinity();
	if (strcmp(name, "priority") == 0)
		return setpriority(PRIO_PROCESS, (id_t)victim, 19);
	if (strcmp(name, "io-priority") == 0)
		return syscall(SYS_ioprio_set, 1, victim, 3 << 13);
	if (strcmp(name, "limit") == 0)
		return set_limit();
	if (strcmp(name, "ptrace") == 0)
		return ptrace(PTRACE_SEIZE, victim, NULL, NULL);
	if (strcmp(name, "read-memory") == 0)
		return read_memory();
	if (strcmp(name, "proc-memory") == 0)
		return open_memory();
	if (strcmp(name, "compare") == 0)
		return syscall(SYS_kcmp, getpid(), victim, 1, 0, 0);
	if (strcmp(name, "datagram") == 0)
		return send_datagram();
	if (strcmp(name, "mode") == 0)
		return chmod(path, 0777);
	abort();
}

void vgpu_sandbox_on_entered(void)
{
	const char *told = getenv("VGPU_SANDBOX_ATTEMPT");
	char name[32];
	long r;

	if (!told || sscanf(told, "%31s %d %99s", name, &victim, path) != 3)
		return;
	r = try(name);
	fprintf(stderr, "attempt: %s: %s\n", name,
		r < 0 ? strerror(errno) : "done");
}
