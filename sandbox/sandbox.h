/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a process that meets a guest, or a viewer, shuts itself in. */
#ifndef VGPU_SANDBOX_SANDBOX_H
#define VGPU_SANDBOX_SANDBOX_H

#include "lib/err.h"
#include "sandbox/report.h"
#include "sandbox/role.h"

/*
 * Two steps, each for the whole process.
 *
 * begin: while there is one thread and nothing of a guest's was read. From
 * then on the process is not user 0, has no capability, and reaches no process
 * outside; it still opens what a driver, or its own set-up, needs. While
 * contexts are recorded (VGPU_RECORD_DIR), @record is their folder, in which
 * files may be made, and the user stays who owns it; else NULL.
 *
 * finish: when all is open. From then on it opens nothing.
 *
 * Both add to @report what is on and what the kernel refused, which is no
 * failure; they fail, with @err, where going on would be wrong.
 */
int vgpu_sandbox_begin(enum vgpu_sandbox_role role, const char *record,
		       struct vgpu_sandbox_report *report, struct vgpu_err *err);
int vgpu_sandbox_finish(enum vgpu_sandbox_role role,
			struct vgpu_sandbox_report *report, struct vgpu_err *err);

#endif
