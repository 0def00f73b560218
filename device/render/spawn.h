/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the vgpu-render program. */
#ifndef VGPU_DEVICE_RENDER_SPAWN_H
#define VGPU_DEVICE_RENDER_SPAWN_H

#include "lib/err.h"

/*
 * Open the program, which may lie where we may not go later. Before the first
 * vgpu_render_spawn(), which complains if it was not found.
 */
void vgpu_render_find_program(void);

/*
 * Start vgpu-render with @command and @memory, which stay the caller's, as its
 * fds 3 and 4. It gets no other fd but 0 to 2, hardly any environment, and
 * dies with us. *ret_pidfd is the caller's, who reaps it.
 */
int vgpu_render_spawn(int command, int memory, int *ret_pidfd,
		      struct vgpu_err *err);

/* Where render processes are to record what they do; NULL: nowhere. */
const char *vgpu_render_record_folder(void);

#endif
