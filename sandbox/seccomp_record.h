/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lists are made from, and checked against: in a build with the option
 * record_calls one role is refused nothing, and all it calls is written down.
 */
#ifndef VGPU_SANDBOX_SECCOMP_RECORD_H
#define VGPU_SANDBOX_SECCOMP_RECORD_H

#include <stdbool.h>

#include "lib/err.h"
#include "sandbox/role.h"

#ifdef VGPU_RECORD_CALLS
/* A process may have one recorder, and those that it starts have it, too. */
bool vgpu_seccomp_is_recording(enum vgpu_sandbox_role role);
/* From now on a process of our own writes down what this one calls. */
int vgpu_seccomp_record(enum vgpu_sandbox_role role, struct vgpu_err *err);
#else
static inline bool vgpu_seccomp_is_recording(enum vgpu_sandbox_role role)
{
	return false;
}
static inline int vgpu_seccomp_record(enum vgpu_sandbox_role role,
				      struct vgpu_err *err)
{
	return 0;
}
#endif

#endif
