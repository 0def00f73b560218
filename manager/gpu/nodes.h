/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices that GPUs come and go, by their device nodes. */
#ifndef VGPU_MANAGER_GPU_NODES_H
#define VGPU_MANAGER_GPU_NODES_H

#include <systemd/sd-event.h>

struct vgpu_gpu_nodes;

/*
 * Call @changed a second after nodes of GPUs in @folder (/dev) have come, gone
 * or got other rights. Inotify says so inside any sandbox, where udev's
 * messages may not arrive. Returns 0 or -errno: then nobody notices.
 */
int vgpu_gpu_nodes_create(sd_event *event, const char *folder,
			  void (*changed)(void *userdata), void *userdata,
			  struct vgpu_gpu_nodes **ret_nodes);
void vgpu_gpu_nodes_destroy(struct vgpu_gpu_nodes *nodes); /* NULL is fine */

#endif
