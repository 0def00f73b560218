/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing one's socket file at the end, when one may do so no more. */
#ifndef VGPU_SANDBOX_REMOVER_H
#define VGPU_SANDBOX_REMOVER_H

#include "lib/err.h"

/*
 * Start a process of our user that removes the socket file @path when it is
 * told to, and ends with this one. Only that file: not one that took its place.
 * Call this after bind() and before vgpu_sandbox_begin().
 */
int vgpu_remover_start(const char *path, int *ret_fd, struct vgpu_err *err);
/* Have it removed, and wait for that. @fd may be -1. */
void vgpu_remover_finish(int fd);

#endif
