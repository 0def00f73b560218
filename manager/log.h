/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log. */
#ifndef VGPU_MANAGER_LOG_H
#define VGPU_MANAGER_LOG_H

/* One line to stderr, which is the journal under systemd. */
__attribute__((format(printf, 1, 2))) void vgpu_log(const char *fmt, ...);

#endif
