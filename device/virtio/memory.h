/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory: regions that the front end shares, mapped here. */
#ifndef VGPU_DEVICE_VIRTIO_MEMORY_H
#define VGPU_DEVICE_VIRTIO_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "device/state_abi.h"
#include "lib/err.h"

struct vgpu_memory;

int vgpu_memory_create(struct vgpu_memory **ret_memory);
void vgpu_memory_destroy(struct vgpu_memory *memory); /* NULL is fine */

/*
 * Map @region from @fd, which stays the caller's, as number @index. -EINVAL
 * with err if it has no size, overflows, overlaps another, or is not all in
 * the file; another -errno if it cannot be mapped.
 */
int vgpu_memory_add(struct vgpu_memory *memory, uint32_t index,
		    const struct vgpu_state_region *region, int fd,
		    struct vgpu_err *err);
/*
 * Region @index is guest memory no more. It stays mapped until
 * vgpu_memory_release(): requests in flight may still point into it.
 */
void vgpu_memory_remove(struct vgpu_memory *memory, uint32_t index);
void vgpu_memory_release(struct vgpu_memory *memory);

/*
 * In place of regions: the guest's memory is mapped at @base, as far as @pin says,
 * which returns how much of a range is memory, from its beginning. The front end
 * has it at its guest-physical addresses. @base and @opaque outlive the memory's use.
 */
typedef uint64_t vgpu_memory_pin(void *opaque, uint64_t gpa, uint64_t len);
void vgpu_memory_use_pins(struct vgpu_memory *memory, void *base,
			  uint64_t bytes, vgpu_memory_pin *pin, void *opaque);

/* Host address of guest-physical [gpa, gpa + len) in one region, or NULL. */
void *vgpu_memory_guest(struct vgpu_memory *memory, uint64_t gpa, uint64_t len);
/* The same for a range that may cross regions: as much as is in the first. */
void *vgpu_memory_guest_part(struct vgpu_memory *memory, uint64_t gpa,
			     uint64_t len, uint64_t *ret_part);
/* Host address of what the front end has at [address, address + len). */
void *vgpu_memory_user(struct vgpu_memory *memory, uint64_t address,
		       uint64_t len);

#endif
