/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a process that serves a guest or a viewer confines itself. */
#ifndef VGPU_SANDBOX_SANDBOX_H
#define VGPU_SANDBOX_SANDBOX_H

#include <stdint.h>

#include "lib/err.h"
#include "sandbox/report.h"
#include "sandbox/role.h"

/*
 * Two steps, each for the whole process.
 *
 * begin: while there is one thread and nothing of a guest's was read. From
 * then on the process is not user 0, has no capability but those in @kept, and
 * reaches no process outside; it still opens what a driver, or its own set-up,
 * needs.
 *
 * finish: when all is open. From then on it opens nothing. @root is -1, or what
 * vgpu_empty_root_open() returned, and is taken. A device and a VNC server,
 * which have one thread then, move into namespaces of their own; sockets that
 * they have stay in the network namespace in which they were made.
 *
 * Both add to @report what is on and what the kernel refused, which is no
 * failure; they fail, with @err, where going on would be wrong.
 */
int vgpu_sandbox_begin(enum vgpu_sandbox_role role, uint64_t kept,
		       struct vgpu_sandbox_report *report, struct vgpu_err *err);
int vgpu_sandbox_finish(enum vgpu_sandbox_role role, int root,
			struct vgpu_sandbox_report *report, struct vgpu_err *err);

#endif
