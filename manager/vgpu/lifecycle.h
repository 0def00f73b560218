/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a vGPU: starting, replacing and ending its processes. */
#ifndef VGPU_MANAGER_VGPU_LIFECYCLE_H
#define VGPU_MANAGER_VGPU_LIFECYCLE_H

#include "instance.h"

/*
 * Start a defined vGPU: allocate its framebuffer (if there is none yet, this is
 * tried again when there is), and start its device. It fails if its type is
 * gone.
 */
void vgpu_lifecycle_begin(struct vgpu_instance *instance);
/*
 * Take over the process that an earlier vgpud started for it. Returns -ENOENT
 * if none runs.
 */
int vgpu_lifecycle_adopt(struct vgpu_instance *instance);
/*
 * Start a successor of a device that died with the vgpud before, if all that it
 * needs was kept; else return -ENOENT, and nothing of it is held any more.
 */
int vgpu_lifecycle_resume(struct vgpu_instance *instance);
/*
 * The vGPU has failed. No process of it runs; close its fds and end its VNC
 * servers.
 */
__attribute__((format(printf, 2, 3))) void
vgpu_lifecycle_fail(struct vgpu_instance *instance, const char *fmt, ...);
/*
 * End it: process, sockets, framebuffer; and its definition, if it is not kept:
 * then the instance is freed, perhaps before this returns. Answers create_link
 * or destroy_link at its end.
 */
void vgpu_lifecycle_stop(struct vgpu_instance *instance);
/* No process of it runs: free what it holds, and become STOPPED. */
void vgpu_lifecycle_rest(struct vgpu_instance *instance);
/* It serves: tell whoever made or started it. */
void vgpu_lifecycle_answer(struct vgpu_instance *instance);

#endif
