/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client that asked for a change of a vGPU, to be answered when it is done.
 */
#ifndef VGPU_MANAGER_VGPU_CALLER_H
#define VGPU_MANAGER_VGPU_CALLER_H

#include <stdint.h>

struct vgpu_err;

/* All are required; each lets go of @link. */
struct vgpu_caller_ops {
	/* @uuid is that of a new vGPU, or NULL. */
	void (*succeed)(void *link, const char *uuid);
	void (*fail)(void *link, const struct vgpu_err *err);
	void (*drop)(void *link); /* without an answer */
};

/*
 * Zeroed: nobody. It is answered once. A function that takes one owns it on
 * success; on failure it stays the caller's.
 */
struct vgpu_caller {
	const struct vgpu_caller_ops *ops; /* NULL: nobody waits */
	void *link;
	int64_t uid; /* VGPU_EVENT_BY_NOBODY: not known */
};

/* Answer it, if anyone waits, and clear it. */
void vgpu_caller_succeed(struct vgpu_caller *caller, const char *uuid);
void vgpu_caller_fail(struct vgpu_caller *caller, const struct vgpu_err *err);
void vgpu_caller_drop(struct vgpu_caller *caller);

/* The user who asked, or VGPU_EVENT_BY_NOBODY. */
int64_t vgpu_caller_uid(const struct vgpu_caller *caller);

#endif
