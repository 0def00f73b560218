/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible window: maps and unmaps that the front end carries out. */
#ifndef VGPU_DEVICE_VHOST_WINDOW_H
#define VGPU_DEVICE_VHOST_WINDOW_H

#include <systemd/sd-event.h>

#include "device/gpu/gpu.h"
#include "device/vhost/channel.h"

struct vgpu_window;

/* What the window asks of its owner, and tells it. All are required. */
struct vgpu_window_ops {
	/* @status is 0 or -errno. Comes from the event loop or from _settle(). */
	void (*done)(void *opaque, uint64_t cookie, int status);
	/*
	 * Whether the device's rings run. While they do not, nothing is sent,
	 * for QEMU 11.1 dies of a request that it reads then: what is to be
	 * mapped waits, and what is to be unmapped counts as done and is sent
	 * when they run again.
	 */
	bool (*is_running)(void *opaque);
	/*
	 * Whether the front end has sent a message that was not handled yet.
	 * It may be the one that stops the rings, so it is handled first.
	 */
	bool (*has_message)(void *opaque);
};

int vgpu_window_create(sd_event *event, const struct vgpu_window_ops *ops,
		       void *opaque, struct vgpu_window **ret_window);
void vgpu_window_destroy(struct vgpu_window *window); /* NULL is fine */

/* The channel to use from now on, which outlives this use; NULL for none. */
void vgpu_window_set_channel(struct vgpu_window *window,
			     struct vgpu_channel *channel);

/* As in struct vgpu_gpu_transport_ops. -ENOSPC: no more can be mapped. */
int vgpu_window_map(struct vgpu_window *window, uint64_t cookie,
		    const struct vgpu_gpu_mapping *mapping);
int vgpu_window_unmap(struct vgpu_window *window, uint64_t cookie,
		      const struct vgpu_gpu_mapping *mapping);
/* A predecessor had it mapped. */
void vgpu_window_count(struct vgpu_window *window,
		       const struct vgpu_gpu_mapping *mapping);
/* The VMM has so many vGPUs, which share its limit of mappings. */
void vgpu_window_set_vgpus(struct vgpu_window *window, uint32_t vgpus);
/* The front end has emptied the window, or is about to. */
void vgpu_window_forget(struct vgpu_window *window);

/* The rings run again: send what was kept for this. */
void vgpu_window_resume(struct vgpu_window *window);
/*
 * The rings run no more, and the front end answers nothing until it has stopped
 * them: what it was sent counts as done, for it does that before the guest runs
 * on, and so does an unmap that was not. Maps that were not sent wait.
 */
void vgpu_window_settle(struct vgpu_window *window);

#endif
