/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of vgpuctl on stderr: one line each, free of control characters. */
#ifndef VGPU_CTL_COMMON_MESSAGE_H
#define VGPU_CTL_COMMON_MESSAGE_H

#include <stdbool.h>

#include "ctl/ctl.h"

/* "vgpuctl: ..." on stderr; returns CTL_FAILED, so that a handler can end with it. */
__attribute__((format(printf, 1, 2))) enum ctl_exit ctl_fail(const char *fmt,
							     ...);
/* The same about the command line; returns false. */
__attribute__((format(printf, 1, 2))) bool ctl_complain(const char *fmt, ...);
/* A remark, without the program's name. */
__attribute__((format(printf, 1, 2))) void ctl_note(const char *fmt, ...);

#endif
