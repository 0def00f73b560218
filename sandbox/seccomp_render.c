/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-render calls once a guest may send it commands. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox/seccomp_rules.h"

/* A thread as pthread_create() makes one; no process. */
#define THREAD_FLAGS                                                           \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |    \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |                  \
	 CLONE_CHILD_CLEARTID)
#define WRITE_AND_EXEC (PROT_WRITE | PROT_EXEC)
/* How a futex is used by libc; not the kinds that hand priorities on. */
#define FUTEX_OPERATION                                                        \
	(VGPU_SECCOMP_INT & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))
/* The kind of device that an ioctl is for. */
#define IOCTL_OF(type) BITS(1, 0xff00, (type) << 8)

static const struct vgpu_seccomp_rule rules[] = {
	/* The two sockets to the device, both connected and of packets. */
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	/* Memory and commands come as files. The driver has one of its own. */
	ALLOW(ftruncate),
	ALLOW(pread64),
	/* Memory may come as dma-bufs. */
	ALLOW_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
	ALLOW(lseek),
	ALLOW_IF(ioctl, IS(1, DMA_BUF_IOCTL_SYNC)),
	/* Complaints. */
	ALLOW_IF(write, IS(0, STDOUT_FILENO)),
	ALLOW_IF(write, IS(0, STDERR_FILENO)),

	/*
	 * Compiled shaders are written, and then made executable. Gallium's own
	 * assembler does both at once; without it, its C does the same.
	 */
	REFUSE_IF(mmap, EPERM, BITS(2, WRITE_AND_EXEC, WRITE_AND_EXEC)),
	ALLOW_IF(mprotect, ONLY(2, PROT_READ | PROT_WRITE)),
	ALLOW_IF(mprotect, IS(2, PROT_READ | PROT_EXEC)),
	ALLOW_IF(madvise, IS(2, MADV_DONTNEED)),

	/* libc's way back from clone3(), whose flags lie in memory. */
	REFUSE(clone3, ENOSYS),
	ALLOW_IF(clone, IS(0, THREAD_FLAGS)),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(exit),
	ALLOW_IF(prctl, IS(0, PR_SET_NAME)),
	ALLOW_IF(prctl, IS(0, PR_SET_TIMERSLACK)),
	ALLOW(sched_yield),
	/* A ring's priority: the thread's own. */
	ALLOW_IF(setpriority, IS(0, PRIO_PROCESS), IS(1, 0)),
	ALLOW_IF(futex, BITS(1, FUTEX_OPERATION, FUTEX_WAIT)),
	ALLOW_IF(futex, BITS(1, FUTEX_OPERATION, FUTEX_WAKE)),
	ALLOW_IF(futex, BITS(1, FUTEX_OPERATION, FUTEX_WAIT_BITSET)),
	ALLOW(clock_nanosleep),
	ALLOW(gettimeofday),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(pause), /* while another thread ends it */

	/* Drivers and layers look for files, and for the best processor. */
	REFUSE_WHEN(ON_SOFTWARE, openat, EPERM),
	REFUSE_WHEN(ON_SOFTWARE, newfstatat, EPERM),
	REFUSE_WHEN(ON_SOFTWARE, access, EPERM),
	REFUSE_WHEN(ON_SOFTWARE, readlink, EPERM),
	REFUSE(sched_getaffinity, EPERM),
	REFUSE(sched_setaffinity, EPERM),
	REFUSE(sched_setscheduler, EPERM),
	/* What the machine is, and whether a variable may be believed. */
	ALLOW(sysinfo),
	ALLOW(getrandom),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),

	/*
	 * Some open their GPU's node for each device that is created, and look
	 * in sysfs which it is. Landlock says what they may open.
	 */
	ALLOW_WHEN(ON_HARDWARE, openat),
	ALLOW_WHEN(ON_HARDWARE, newfstatat),
	ALLOW_WHEN(ON_HARDWARE, access),
	ALLOW_WHEN(ON_HARDWARE, readlink),
	ALLOW_WHEN(ON_HARDWARE, readlinkat),
	ALLOW_WHEN(ON_HARDWARE, getdents64),
	/* A GPU's node: DRM, its fences and buffers, NVIDIA's three kinds. */
	ALLOW_WHEN(ON_HARDWARE, ioctl, IOCTL_OF('d')),
	ALLOW_WHEN(ON_HARDWARE, ioctl, IOCTL_OF('>')),
	ALLOW_WHEN(ON_HARDWARE, ioctl, IOCTL_OF('b')),
	ALLOW_WHEN(ON_HARDWARE, ioctl, IOCTL_OF('F')),
	ALLOW_WHEN(ON_HARDWARE, ioctl, IOCTL_OF(0)),
	ALLOW_WHEN(ON_HARDWARE, mmap, ONLY(2, PROT_READ | PROT_WRITE)),
	ALLOW_WHEN(ON_HARDWARE, poll),
	ALLOW_WHEN(ON_HARDWARE, ppoll),
	ALLOW_WHEN(ON_HARDWARE, memfd_create),
	ALLOW_WHEN(ON_HARDWARE, eventfd2),
	ALLOW_WHEN(ON_HARDWARE, read),
	ALLOW_WHEN(ON_HARDWARE, write),
};

const struct vgpu_seccomp_list vgpu_seccomp_render = {
	.rule = rules,
	.n = VGPU_ARRAY_SIZE(rules),
	.base = &vgpu_seccomp_common,
};

/* The recording, and memory as a device would have given it. */
static const struct vgpu_seccomp_rule replay_rules[] = {
	ALLOW(writev),
	ALLOW_IF(madvise, IS(2, MADV_REMOVE)),
	ALLOW_IF(memfd_create, IS(1, MFD_CLOEXEC)),
};

const struct vgpu_seccomp_list vgpu_seccomp_replay = {
	.rule = replay_rules,
	.n = VGPU_ARRAY_SIZE(replay_rules),
	.base = &vgpu_seccomp_render,
};
