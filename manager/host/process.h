/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helper processes: finding the program, starting, identifying and ending them.
 */
#ifndef VGPU_MANAGER_HOST_PROCESS_H
#define VGPU_MANAGER_HOST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

struct vgpu_process {
	pid_t pid; /* 0 for none */
	int pidfd; /* -1 for none */
};
#define VGPU_PROCESS_NONE ((struct vgpu_process){.pidfd = -1})

/* The number under which a helper finds the fd that it is given. */
#define VGPU_PROCESS_CHILD_FD 3

enum vgpu_process_flags {
	/* Pass on vgpud's own environment instead of an almost empty one. */
	VGPU_PROCESS_KEEP_ENVIRONMENT = 1,
	/* The given fd becomes its stdout too. */
	VGPU_PROCESS_STDOUT = 2,
};

/*
 * Start helper @argv[0] with @fd as VGPU_PROCESS_CHILD_FD and no other fd but
 * the standard ones. It is sought in $VGPU_LIBEXECDIR if that is set, then
 * beside vgpud itself, then where it is installed. It leads a session of its
 * own: a signal from vgpud's terminal does not reach it, and it outlives
 * vgpud. It begins in the control group @group (cgroup.h; -1: in vgpud's own).
 */
int vgpu_process_start(char *const argv[], int fd, int group, unsigned int flags,
		       struct vgpu_process *ret_process, struct vgpu_err *err);
void vgpu_process_signal(const struct vgpu_process *process, int signal);

#define VGPU_PROCESS_REASON_SIZE 96
/*
 * Reap the process, whose pidfd is readable, and close the pidfd. @ret_reason
 * is how it ended: "was killed by SIGKILL". Returns whether it was ended for a
 * system call that the sandbox forbids. Of a process that an earlier vgpud
 * started neither is known.
 */
bool vgpu_process_reap(struct vgpu_process *process,
		       char ret_reason[VGPU_PROCESS_REASON_SIZE]);
/* Let go of it, running or not. */
void vgpu_process_finish(struct vgpu_process *process);

/*
 * Write down and read back which process it is, so that another vgpud knows it
 * for sure: its number, and what no other process with that number has had
 * since the machine was started. vgpu_process_recall() returns -ESRCH if that
 * process is no more.
 */
int vgpu_process_record(const struct vgpu_process *process, const char *path,
			const char *temporary);
int vgpu_process_recall(const char *path, struct vgpu_process *ret_process);

#endif
