/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the C library calls for all of our programs that are shut in. */
#include <sys/mman.h>

#include "sandbox/seccomp_rules.h"

/* Nothing that takes huge pages, locks memory, or grows by itself. */
#define MAP_FLAGS                                                              \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_STACK |    \
	 MAP_NORESERVE)

static const struct vgpu_seccomp_rule rules[] = {
	ALLOW(close),
	ALLOW(fstat),
	ALLOW(exit_group),

	ALLOW(brk),
	ALLOW_IF(mmap, ONLY(2, PROT_READ | PROT_WRITE), ONLY(3, MAP_FLAGS)),
	ALLOW(mremap),
	ALLOW(munmap),

	/* Where the machine's clock can be read by the kernel only. */
	ALLOW(clock_gettime),
	ALLOW(restart_syscall), /* after it was stopped */

	/* abort(), and signal handlers. */
	ALLOW(rt_sigreturn),
	ALLOW(getpid),
	ALLOW(gettid),
	ALLOW_IF(tgkill, IS_OWN_PID(0)),
};

const struct vgpu_seccomp_list vgpu_seccomp_common = {
	.rule = rules,
	.n = VGPU_ARRAY_SIZE(rules),
};
