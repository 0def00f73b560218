/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible window: what the front end is asked to map there. */
#ifndef VGPU_DEVICE_VHOST_WINDOW_H
#define VGPU_DEVICE_VHOST_WINDOW_H

#include <systemd/sd-event.h>

#include "device/gpu/gpu.h"
#include "device/slots.h"
#include "device/vhost/channel.h"

struct vgpu_window;

/* @status is 0 or -errno. Comes from the event loop or from _settle(). */
typedef void vgpu_window_done(void *opaque, uint64_t cookie, int status);

/* @slots has the framebuffer's segments of @segment_bytes each. */
int vgpu_window_create(sd_event *event, const struct vgpu_slots *slots,
		       uint64_t segment_bytes, vgpu_window_done *done,
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
/* The front end has emptied the window, or is about to. */
void vgpu_window_forget(struct vgpu_window *window);

/*
 * The front end waits for us and answers nothing meanwhile: what it has been
 * sent counts as done. It will do it before the guest runs on.
 */
void vgpu_window_settle(struct vgpu_window *window);

/* Whether the file is a segment: then it is no memory of the guest's. */
bool vgpu_window_is_segment(const struct vgpu_window *window, int fd);

#endif
