/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is killed first when the host has no memory left. */
#ifndef VGPU_LIB_OOM_H
#define VGPU_LIB_OOM_H

/*
 * Added to what the kernel makes of a process' size in permille of the host's
 * memory (oom_score_adj): contexts come first, then viewers' servers, then
 * devices, whose end costs a guest its contexts only. vgpud keeps its own.
 */
#define VGPU_OOM_RENDER 900
#define VGPU_OOM_VNC	600
#define VGPU_OOM_DEVICE 300

/* The calling process' own, before it reaches no files any more; -1 if not. */
int vgpu_oom_open(void);
/*
 * Ask for @adjustment, never for less than there is. Returns what was there,
 * which vgpu_oom_set() brings back. If it fails the order is the kernel's own.
 */
int vgpu_oom_raise(int fd, int adjustment);
void vgpu_oom_set(int fd, int adjustment);

#endif
