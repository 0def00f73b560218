/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log, and text from outside made fit to print. */
#ifndef VGPU_MANAGER_LOG_H
#define VGPU_MANAGER_LOG_H

#include <stddef.h>

/* One line to stderr, which is the journal under systemd. */
__attribute__((format(printf, 1, 2))) void vgpu_log(const char *fmt, ...);

/* Replace in place all that is not printable ASCII by '?'. */
void vgpu_make_printable(char *text);

#define VGPU_QUOTED_SIZE 72

/*
 * A copy of @text for a message: printable ASCII only and short, "..." at its
 * end where it was cut. Returns @ret.
 */
const char *vgpu_quote(char ret[VGPU_QUOTED_SIZE], const char *text);

#endif
