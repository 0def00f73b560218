/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces of a process's own, and a root directory with nothing in it. */
#ifndef VGPU_SANDBOX_NAMESPACES_H
#define VGPU_SANDBOX_NAMESPACES_H

#include "sandbox/report.h"

/*
 * Find out which namespaces a child can be given: the flags of clone(2). What
 * is refused is in @report.
 */
unsigned long vgpu_namespaces_probe(struct vgpu_sandbox_report *report);

/*
 * In a new user and mount namespace: a directory with nothing in it, for
 * vgpu_empty_root_enter(). Returns an fd or -errno.
 */
int vgpu_empty_root_open(void);
/* Whether @fd is one. */
_Bool vgpu_empty_root_is(int fd);
/* Make it the root of all threads. Takes @fd. Returns 0 or -errno. */
int vgpu_empty_root_enter(int fd);

#endif
