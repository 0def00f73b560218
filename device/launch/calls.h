/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kills a render process that makes a forbidden system call, and reports the
 * call.
 */
#ifndef VGPU_DEVICE_LAUNCH_CALLS_H
#define VGPU_DEVICE_LAUNCH_CALLS_H

#include "device/launch/kept.h"

/*
 * Something happened at @process->calls. First this is a socket by which the
 * process, before it reads anything of a guest's, sends the listener of its
 * filter (seccomp_unotify(2)); then that listener. When the process makes a
 * call that is on no list, the kernel holds it there and tells us: the process
 * is killed and its @call set. What it did in its last moment, when others of
 * its threads end it, may stay unknown. Nobody else has a listener, and none is
 * ever told to let a call through; if we die, the process does, too.
 */
void vgpu_calls_handle(struct vgpu_kept_process *process);
/*
 * Check for a call that the kernel holds. Call this before killing the process
 * for another reason, after which the call cannot be read.
 */
void vgpu_calls_look(struct vgpu_kept_process *process);

#endif
