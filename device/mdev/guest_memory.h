/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory, mapped from the device's file and pinned as it is used. */
#ifndef VGPU_DEVICE_MDEV_GUEST_MEMORY_H
#define VGPU_DEVICE_MDEV_GUEST_MEMORY_H

#include <stdint.h>

#include "device/virtio/memory.h"

struct vgpu_guest_memory;

/* Map it from @fd, which stays the caller's and outlives it, for @memory. */
int vgpu_guest_memory_create(int fd, struct vgpu_memory *memory,
			     struct vgpu_guest_memory **ret_guest);
/* No address that @memory gave may be used after. NULL is fine. */
void vgpu_guest_memory_destroy(struct vgpu_guest_memory *guest);

/* From now on pages of @session are meant; what is pinned is not known. */
void vgpu_guest_memory_restart(struct vgpu_guest_memory *guest, uint32_t session);

#endif
