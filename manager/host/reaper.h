/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reaps helper processes that nobody waits for. */
#ifndef VGPU_MANAGER_HOST_REAPER_H
#define VGPU_MANAGER_HOST_REAPER_H

#include <systemd/sd-event.h>

#include "process.h"

/*
 * Reap @process, which is taken, when it ends, and log how it did if that was
 * not well: "the WHAT process 42 was killed by SIGSEGV". @what is constant.
 */
int vgpu_reaper_watch(sd_event *event, const char *what,
		      const struct vgpu_process *process);

#endif
