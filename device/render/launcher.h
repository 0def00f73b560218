/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of vgpu-launch: starts render processes, and reports their
 * end.
 */
#ifndef VGPU_DEVICE_RENDER_LAUNCHER_H
#define VGPU_DEVICE_RENDER_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "device/launch/abi.h"
#include "lib/err.h"

struct vgpu_launcher;

/* A render process, embedded in the struct of whoever starts it. */
struct vgpu_launched {
	LIST_ENTRY(vgpu_launched) entry; /* of vgpu_launcher.processes */
	struct vgpu_launcher *launcher;	 /* NULL: none was started */
	uint64_t id;
	/* Once it is started, until somebody takes them; -1: none. */
	int command, memory;
	int file[VGPU_LAUNCH_FILES_MAX]; /* that were kept of it */
	uint32_t n_files;
	int statm; /* an open /proc/PID/statm; -1: it cannot be read */
	bool is_started;
	bool is_ended;
	int code; /* of its end, as of waitid(2) */
	int status;
	int call; /* forbidden, for which the sandbox ended it; -1: none */
	struct vgpu_err why; /* ... if it was never started */
	uint32_t refused; /* layers of the sandbox that the kernel does not give */
	bool is_told;
	/* Both come from the event loop, and may do whatever they like. */
	void (*started)(void *opaque);
	void (*ended)(void *opaque);
	/* The launcher is destroyed, and nothing more will be known. Or NULL. */
	void (*left)(void *opaque);
	void *opaque;
};

/*
 * A wait until all earlier requests are done, embedded in the struct of whoever
 * waits.
 */
struct vgpu_launcher_sync {
	TAILQ_ENTRY(vgpu_launcher_sync) entry; /* of vgpu_launcher.syncs */
	struct vgpu_launcher *launcher;	       /* NULL: nobody waits */
	uint64_t id;
	bool is_done;
	void (*done)(void *opaque); /* from the event loop */
	void *opaque;
};

#define VGPU_LAUNCH_CALL_MAX 40
/* What is told of it. */
#define VGPU_LAUNCH_FORBIDDEN                                                  \
	"the sandbox ended a render process for a forbidden system call: %s"
/* The name of system call number @call. */
void vgpu_launch_name_call(int call, char ret_name[VGPU_LAUNCH_CALL_MAX]);

struct vgpu_launcher_ops {
	/*
	 * It has not answered for long, though we had a processor. Whoever
	 * started it should kill it. May be NULL.
	 */
	void (*frozen)(void *opaque);
	/*
	 * A process made system call @name, which the sandbox does not allow,
	 * and was ended for it: whoever had it, and whatever it said before.
	 */
	void (*forbidden)(void *opaque, const char *name);
};

/*
 * @fd is the socket of a vgpu-launch, and stays the caller's. When that ends,
 * so do all processes that it started, and then the event loop, with 1. What an
 * earlier device process left there stays until vgpu_launcher_end_others().
 */
int vgpu_launcher_create(sd_event *event, int fd,
			 const struct vgpu_launcher_ops *ops, void *opaque,
			 struct vgpu_launcher **ret_launcher);
void vgpu_launcher_destroy(struct vgpu_launcher *launcher); /* NULL is fine */

/*
 * Have a process started. @process has its callbacks and opaque filled in, and
 * stays where it is until vgpu_launched_forget(). Does not wait: one that
 * cannot be started has ended.
 */
int vgpu_launcher_start(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, struct vgpu_err *err);
/*
 * The same for one that an earlier device process knew as @id. Waits, for there
 * is no event loop yet, and started() does not come. -ESRCH: it has ended.
 */
int vgpu_launcher_adopt(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, uint64_t id,
			struct vgpu_err *err);
/* End all that an earlier device process had and this one did not ask for. */
void vgpu_launcher_end_others(struct vgpu_launcher *launcher);
/* Whoever adopts it gets @fd, a memfd that stays the caller's, too. */
void vgpu_launched_keep_file(struct vgpu_launched *process, int fd);
/*
 * The same with memory that is no process's, by a number below
 * VGPU_LAUNCH_MEMORY_MAX. A NULL @launcher keeps nothing.
 */
void vgpu_launcher_keep(struct vgpu_launcher *launcher, uint32_t number, int fd);
void vgpu_launcher_drop(struct vgpu_launcher *launcher, uint32_t number);
/*
 * What an earlier device process had kept by each number, in *ret_fd, or -1.
 * Waits, for there is no event loop yet.
 */
void vgpu_launcher_fetch(struct vgpu_launcher *launcher, const uint32_t *number,
			 int *ret_fd, size_t n);
/*
 * Have it held to so much memory from now on (device/launch/abi.h). Not done
 * before a vgpu_launcher_sync() that comes later is, if @process is not ended.
 */
void vgpu_launched_limit(struct vgpu_launched *process,
			 const uint64_t limit[VGPU_LAUNCH_LIMITS]);
/*
 * Be told when all is done that was asked for so far; of one that is waited for
 * already: anew. Never, if the launcher has ended.
 */
void vgpu_launcher_sync(struct vgpu_launcher *launcher,
			struct vgpu_launcher_sync *sync);
/*
 * Wait for that here and now: true, and done() is not called. False: it is not
 * done as long as the event loop may be held up, and done() comes later.
 */
bool vgpu_launcher_sync_wait(struct vgpu_launcher_sync *sync);
void vgpu_launcher_sync_forget(struct vgpu_launcher_sync *sync);
/* Send it SIGKILL. */
void vgpu_launched_kill(struct vgpu_launched *process);
/*
 * Wait for its end. False: it has not ended as long as the event loop may be
 * held up, and ended() comes later.
 */
bool vgpu_launched_wait(struct vgpu_launched *process);
void vgpu_launched_forget(struct vgpu_launched *process);

#endif
