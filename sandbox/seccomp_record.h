/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lists are made from, and checked against: in a build with the option
 * record_calls nothing is refused, and every call is written down.
 */
#ifndef VGPU_SANDBOX_SECCOMP_RECORD_H
#define VGPU_SANDBOX_SECCOMP_RECORD_H

#include <stdbool.h>

#include "lib/err.h"
#include "sandbox/role.h"

#ifdef VGPU_RECORD_CALLS
static inline bool vgpu_seccomp_is_recording(void)
{
	return true;
}
/* Opens its file, while that may be done. */
void vgpu_seccomp_prepare(void);
/* From now on a process of our own writes down what this one calls. */
int vgpu_seccomp_record(enum vgpu_sandbox_role role, struct vgpu_err *err);
#else
static inline bool vgpu_seccomp_is_recording(void)
{
	return false;
}
static inline void vgpu_seccomp_prepare(void)
{
}
static inline int vgpu_seccomp_record(enum vgpu_sandbox_role role,
				      struct vgpu_err *err)
{
	return 0;
}
#endif

#endif
