/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaving user 0 and all capabilities. */
#ifndef VGPU_SANDBOX_IDS_H
#define VGPU_SANDBOX_IDS_H

#include <stdint.h>

/*
 * Of a process that root started: become user vgpu with its groups, or, where
 * there is no such user, 65534 with the groups of the GPUs' device nodes. Any
 * other process stays who it is, and so does one that is called root in a user
 * namespace where there is nobody else. Returns 0 or -errno.
 */
int vgpu_sandbox_leave_root(void);

/*
 * Give up, while still root, all ways to get a capability but those in @kept, a
 * bit for each. Returns 0 or -errno.
 */
int vgpu_sandbox_shrink_bounds(uint64_t kept);
/* Have user 0 be as any other to the kernel. Returns 0 or -errno. */
int vgpu_sandbox_lock_bits(void);
/*
 * Give up every capability that this thread has but those in @kept, a bit for
 * each. Returns 0 or -errno.
 */
int vgpu_sandbox_drop_capabilities(uint64_t kept);
/* Have programs that are executed keep those in @kept. Returns 0 or -errno. */
int vgpu_sandbox_raise_ambient(uint64_t kept);

#endif
