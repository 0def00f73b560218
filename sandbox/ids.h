/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaving user 0 and all capabilities. */
#ifndef VGPU_SANDBOX_IDS_H
#define VGPU_SANDBOX_IDS_H

/*
 * Of a process that root started: become user vgpu with its groups, or, where
 * there is no such user, 65534 with the groups of the GPUs' device nodes. Any
 * other process stays who it is. Returns 0 or -errno.
 */
int vgpu_sandbox_leave_root(void);

/* Give up, while still root, all ways to get a capability. Returns 0 or -errno. */
int vgpu_sandbox_shrink_bounds(void);
/* Give up every capability that this thread has. Returns 0 or -errno. */
int vgpu_sandbox_drop_capabilities(void);

#endif
