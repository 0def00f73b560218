/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible window: the kernel changes it at once, and is told of here. */
#ifndef VGPU_DEVICE_MDEV_WINDOW_H
#define VGPU_DEVICE_MDEV_WINDOW_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/gpu/gpu.h"

struct vgpu_mdev_window;

typedef void vgpu_mdev_window_done(void *opaque, uint64_t cookie, int status);

/* Of the device that @fd, which stays the caller's, is the file of. */
int vgpu_mdev_window_create(sd_event *event, int fd, vgpu_mdev_window_done *done,
			    void *opaque, struct vgpu_mdev_window **ret_window);
void vgpu_mdev_window_destroy(struct vgpu_mdev_window *window); /* NULL is fine */

/* As in struct vgpu_gpu_transport_ops. */
int vgpu_mdev_window_map(struct vgpu_mdev_window *window, uint32_t session,
			 uint64_t cookie, const struct vgpu_gpu_mapping *mapping);
int vgpu_mdev_window_unmap(struct vgpu_mdev_window *window, uint32_t session,
			   uint64_t cookie,
			   const struct vgpu_gpu_mapping *mapping);
void vgpu_mdev_window_forget(struct vgpu_mdev_window *window);

#endif
