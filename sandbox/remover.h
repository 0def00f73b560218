/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remove a socket file at exit, by a helper process: the sandbox forbids it to
 * the process itself.
 */
#ifndef VGPU_SANDBOX_REMOVER_H
#define VGPU_SANDBOX_REMOVER_H

#include "lib/err.h"

/*
 * Start a helper process of the same user that removes the socket file @path on
 * request, and ends with this process. It removes that file only, not one that
 * replaced it. Call this after bind() and before vgpu_sandbox_begin().
 */
int vgpu_remover_start(const char *path, int *ret_fd, struct vgpu_err *err);
/* Have the file removed, and wait until it is. @fd may be -1. */
void vgpu_remover_finish(int fd);

#endif
