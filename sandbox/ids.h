/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Give up user id 0 and all capabilities. */
#ifndef VGPU_SANDBOX_IDS_H
#define VGPU_SANDBOX_IDS_H

#include <stdint.h>

/*
 * If root started this process: become user vgpu with its groups, or, if there
 * is no such user, 65534 with the groups of the GPUs' device nodes. Any other
 * process keeps its ids, and so does root of a user namespace in which no other
 * id is mapped. Returns 0 or -errno.
 */
int vgpu_sandbox_leave_root(void);

/*
 * While still root: drop all capabilities from the bounding set but those in
 * @kept (a bit for each). Returns 0 or -errno.
 */
int vgpu_sandbox_shrink_bounds(uint64_t kept);
/*
 * Set the securebits by which user id 0 gives no capabilities. Returns 0 or
 * -errno.
 */
int vgpu_sandbox_lock_bits(void);
/*
 * Drop all capabilities of this thread but those in @kept (a bit for each).
 * Returns 0 or -errno.
 */
int vgpu_sandbox_drop_capabilities(uint64_t kept);
/*
 * Whether a capability could be dropped: the filter of a service may forbid it.
 * Returns 0 or -errno.
 */
int vgpu_sandbox_try_drop(void);
/*
 * Let executed programs inherit the capabilities in @kept. Returns 0 or -errno.
 */
int vgpu_sandbox_raise_ambient(uint64_t kept);

#endif
