/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log. */
#ifndef VGPU_MANAGER_HOST_LOG_H
#define VGPU_MANAGER_HOST_LOG_H

/*
 * One line to stderr, or to the journal where that is what stderr is: there a
 * line has the fields VGPU_UUID= and VGPU_NAME= of the vGPU that it is about,
 * and VGPU_EVENT= of what happened to it.
 */
__attribute__((format(printf, 1, 2))) void vgpu_log(const char *fmt, ...);

/* About a vGPU, which begins the line; @name and @event may be NULL. */
__attribute__((format(printf, 4, 5))) void vgpu_log_vgpu(const char *uuid,
							 const char *name,
							 const char *event,
							 const char *fmt, ...);

#endif
