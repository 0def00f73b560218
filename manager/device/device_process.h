/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running vgpu-device, and the manager's end of its control socket. */
#ifndef VGPU_MANAGER_DEVICE_DEVICE_PROCESS_H
#define VGPU_MANAGER_DEVICE_DEVICE_PROCESS_H

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "fd_store.h"
#include "lib/control_abi.h"
#include "lib/err.h"
#include "manager/host/process.h"

struct vgpu_device;

/*
 * Callbacks to its owner, all required. Only ended() may, and must, destroy the
 * device.
 */
struct vgpu_device_ops {
	/*
	 * The device announces @fd, now the owner's, as @slot; -1: the slot is
	 * not needed any more.
	 */
	int (*fd)(void *owner, uint32_t slot, int fd);
	/* The first one says that it serves. */
	void (*status)(void *owner, const struct vgpu_control_status *status);
	void (*event)(void *owner, const struct vgpu_control_event *event);
	/* @n more of its contexts were lost by the GPU's driver. */
	void (*gpu_lost)(void *owner, uint32_t n);
	/* The process is dead: "the device process N was killed by SIGKILL" */
	void (*ended)(void *owner, const char *reason);
};

/*
 * Start a process and have it serve with the fds of @store and @start, both of
 * which stay as they are until the first status. For vgpu_device_adopt() the
 * process is recorded in file @pid_path (by way of @pid_temporary); if @store
 * has a deposit, for vgpu_device_adopt_kept() in @store instead. It begins in
 * the control group @group (-1: in vgpud's).
 */
int vgpu_device_start(sd_event *event, const struct vgpu_device_ops *ops,
		      void *owner, struct vgpu_fd_store *store,
		      const struct vgpu_control_start *start,
		      const char *pid_path, const char *pid_temporary, int group,
		      struct vgpu_device **ret_device, struct vgpu_err *err);

/*
 * Connect to a process that runs already and is recorded in @pid_path. Returns
 * -ENOENT if none does. It sends all its fds, then its status. @key is NULL
 * for one of an earlier version, which knows none.
 */
int vgpu_device_adopt(sd_event *event, const struct vgpu_device_ops *ops,
		      void *owner, const char *control_path, const uint8_t *key,
		      const char *pid_path, struct vgpu_device **ret_device,
		      struct vgpu_err *err);

/*
 * Go on with a process of an earlier vgpud's, by the connection to it that was
 * kept in @store. It may be dead: what it said before comes, then its end.
 * Returns -ENOENT if there is none.
 */
int vgpu_device_adopt_kept(sd_event *event, const struct vgpu_device_ops *ops,
			   void *owner, struct vgpu_fd_store *store,
			   struct vgpu_device **ret_device, struct vgpu_err *err);
/* The process has ended: remove from @store what belonged to it. */
void vgpu_device_forget_kept(struct vgpu_fd_store *store);

/* End it: SIGTERM, a second later SIGKILL. ops->ended() follows. */
void vgpu_device_stop(struct vgpu_device *device);
/* SIGKILL. @why is put before how it ended in the reason. */
void vgpu_device_kill(struct vgpu_device *device, const char *why);
/* Free it; the process, if it runs, runs on. NULL is fine. */
void vgpu_device_destroy(struct vgpu_device *device);

/* Frames shown in the last second, as counted by the device. */
uint64_t vgpu_device_frame_rate(const struct vgpu_device *device);
/* The counters of its last answer; NULL: none yet. */
const struct vgpu_figures *vgpu_device_figures(const struct vgpu_device *device);
bool vgpu_device_is_serving(const struct vgpu_device *device);
pid_t vgpu_device_pid(const struct vgpu_device *device);

/*
 * The answer to a request: @reply and the fd that came with it (-1 for none,
 * close-on-exec, the callee's), or NULL and @err if there is no answer.
 */
typedef void (*vgpu_device_reply_t)(void *userdata,
				    const struct vgpu_control_reply *reply,
				    int fd, const struct vgpu_err *err);
/* For requests whose answer changes nothing. */
void vgpu_device_ignore_reply(void *userdata,
			      const struct vgpu_control_reply *reply, int fd,
			      const struct vgpu_err *err);

/*
 * Send @msg, whose serial is filled in here, with @fd (-1 for none), which
 * stays the caller's. @callback is called once, later, after five seconds at
 * most, unless this fails (err "TryAgain").
 */
int vgpu_device_request(struct vgpu_device *device, struct vgpu_control_msg *msg,
			int fd, vgpu_device_reply_t callback, void *userdata,
			struct vgpu_err *err);

#endif
