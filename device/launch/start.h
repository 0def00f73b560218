/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts vgpu-render in namespaces of its own. */
#ifndef VGPU_DEVICE_LAUNCH_START_H
#define VGPU_DEVICE_LAUNCH_START_H

#include <sys/types.h>

#include "device/launch/abi.h"
#include "lib/err.h"

/*
 * Find and open what is needed to start processes: the program, the folder of
 * recordings. Call this before the launcher enters its sandbox. What is missing
 * is reported when a process is started.
 */
int vgpu_start_prepare(struct vgpu_err *err);
/* Where recordings go; NULL: nowhere. */
const char *vgpu_start_record_folder(void);
/*
 * Find out which namespaces the kernel allows, from within the sandbox. Returns
 * the layers that it refuses, a bit for each.
 */
unsigned int vgpu_start_probe(void);

/*
 * Its ends of what it is reached by (render/abi.h), and what it prints to;
 * these are different fds, none of them -1.
 */
struct vgpu_start_fds {
	int command, memory, calls, output;
};

/*
 * Start one with these fds. It gets no others but 0 to 2 and its empty root
 * directory, hardly any environment, and dies with us.
 */
int vgpu_start(const struct vgpu_start_fds *fds, pid_t *ret_pid,
	       struct vgpu_err *err);
/* Its /proc/PID/statm, which tells what memory it has; -1 if it cannot be read. */
int vgpu_start_open_statm(pid_t pid);
/*
 * Lower or raise the limits of the process, which cannot do so itself. A limit
 * that cannot be set stays as it was.
 */
void vgpu_start_limit(pid_t pid, const uint64_t limit[VGPU_LAUNCH_LIMITS]);

#endif
