/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces for a child process, and an empty root directory. */
#ifndef VGPU_SANDBOX_NAMESPACES_H
#define VGPU_SANDBOX_NAMESPACES_H

#include "sandbox/report.h"

/*
 * Find out which namespaces a child can have. Returns flags of clone(2); adds
 * to @report what the kernel refused.
 */
unsigned long vgpu_namespaces_probe(struct vgpu_sandbox_report *report);

/*
 * Move this process, which has one thread, into a user namespace of its own and
 * then into each other kind but a process namespace: into that only a child can
 * be born. It has all capabilities there. Adds to @report what is on and what
 * the kernel refused. Returns flags of clone(2), 0 if it can have none.
 */
unsigned long vgpu_namespaces_enter(struct vgpu_sandbox_report *report);

/*
 * Called in a new user and mount namespace: open an empty directory for
 * vgpu_empty_root_enter(). Returns an fd or -errno.
 */
int vgpu_empty_root_open(void);
/* Whether @fd is one. */
_Bool vgpu_empty_root_is(int fd);
/* Make it the root of all threads. Takes @fd. Returns 0 or -errno. */
int vgpu_empty_root_enter(int fd);

#endif
