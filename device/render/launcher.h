/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Having render processes started, and learning of their end. */
#ifndef VGPU_DEVICE_RENDER_LAUNCHER_H
#define VGPU_DEVICE_RENDER_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "device/launch/abi.h"
#include "lib/err.h"

struct vgpu_launcher;

/* A process that was started, part of whoever had it started. */
struct vgpu_launched {
	LIST_ENTRY(vgpu_launched) entry; /* of vgpu_launcher.processes */
	struct vgpu_launcher *launcher;	 /* NULL: none was started */
	uint64_t id;
	int statm; /* an open /proc/PID/statm; -1: it cannot be read */
	bool is_started;
	bool is_ended;
	int code; /* of its end, as of waitid(2) */
	int status;
	uint32_t refused; /* layers of the sandbox that the kernel does not give */
	void (*ended)(void *opaque); /* from the event loop */
	void *opaque;
};

/*
 * @fd is the socket of a vgpu-launch, and stays the caller's. When that ends,
 * so do all processes that it started, and then the event loop, with 1.
 */
int vgpu_launcher_create(sd_event *event, int fd,
			 struct vgpu_launcher **ret_launcher);
void vgpu_launcher_destroy(struct vgpu_launcher *launcher); /* NULL is fine */

/*
 * Have a process started with @command and @memory, which stay the caller's.
 * @process has its ended and opaque filled in, and stays where it is until
 * vgpu_launched_forget(). Waits for the answer, which takes a few ms.
 */
int vgpu_launcher_start(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, int command, int memory,
			struct vgpu_err *err);
/*
 * Have it held to so much memory from now on (device/launch/abi.h). Not done
 * before vgpu_launcher_sync() has returned true, if @process is not ended.
 */
void vgpu_launched_limit(struct vgpu_launched *process,
			 const uint64_t limit[VGPU_LAUNCH_LIMITS]);
/* Wait until all is done that was asked for; false: it takes too long. */
bool vgpu_launcher_sync(struct vgpu_launcher *launcher);
/* Send it SIGKILL. */
void vgpu_launched_kill(struct vgpu_launched *process);
/* Wait for its end. False: it has not ended within @ms. */
bool vgpu_launched_wait(struct vgpu_launched *process, int ms);
void vgpu_launched_forget(struct vgpu_launched *process);

#endif
