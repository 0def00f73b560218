/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that are left to a process of a role. */
#ifndef VGPU_SANDBOX_SECCOMP_H
#define VGPU_SANDBOX_SECCOMP_H

#include "lib/err.h"
#include "sandbox/role.h"

/*
 * From now on all threads of this process may make the calls of @role's list
 * only; another ends the process with SIGSYS. It is the last step of set-up:
 * the fds that are open say whether the driver is one of hardware, and the
 * process's own id, which some rules name, must not change afterwards.
 *
 * The launcher's list is one of calls that fail with ENOSYS, also for all that
 * it starts; any other call is carried out.
 *
 * If @socket is not -1, whoever has its other end gets a listener
 * (seccomp_unotify(2)), and is to end the process instead: it learns the call.
 */
int vgpu_seccomp_enter(enum vgpu_sandbox_role role, int socket,
		       struct vgpu_err *err);

#endif
