/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes the kernel kills first when the host runs out of memory. */
#ifndef VGPU_LIB_OOM_H
#define VGPU_LIB_OOM_H

/*
 * Values of oom_score_adj, in permille of the host's memory; the kernel adds
 * the process' own size. Contexts are killed first, then VNC servers, then
 * device processes, which can be replaced. vgpud keeps its value.
 */
#define VGPU_OOM_RENDER 900
#define VGPU_OOM_VNC	600
#define VGPU_OOM_DEVICE 300

/*
 * Open the calling process' oom_score_adj, while it can still open files.
 * Returns an fd, or -1.
 */
int vgpu_oom_open(void);
/*
 * Raise the value to @adjustment; never lower it. Returns the previous value,
 * for vgpu_oom_set(). A failure is ignored: the kernel's own order applies
 * then.
 */
int vgpu_oom_raise(int fd, int adjustment);
void vgpu_oom_set(int fd, int adjustment);

#endif
