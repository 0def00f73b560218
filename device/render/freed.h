/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of device memory were freed and are kept to be allocated again. */
#ifndef VGPU_DEVICE_RENDER_FREED_H
#define VGPU_DEVICE_RENDER_FREED_H

#include <stdbool.h>
#include <stdint.h>

struct vgpu_render;

/*
 * Programs free and allocate pieces of one size again and again, and to fill a
 * new file with pages takes the kernel most of a millisecond for each MiB. So a
 * file that its context alone had is kept a while with its pages, for the next
 * allocation of that context and of that size: the context finds there what it
 * wrote itself, and Vulkan promises nothing else. The pages are free memory of
 * the vGPU to everybody else: whoever is short of them pops files first.
 */
#define VGPU_FREED_FILES_MAX 64U

/* Zeroed, but for @bytes_max: none. */
struct vgpu_freed {
	struct {
		const struct vgpu_render *owner;
		uint64_t bytes;
		uint64_t name;	      /* the caller's */
	} file[VGPU_FREED_FILES_MAX]; /* the oldest first */
	uint32_t n;
	uint64_t bytes, bytes_max;
};

/* What is kept of @quota_bytes at most. */
static inline uint64_t vgpu_freed_bytes_max(uint64_t quota_bytes)
{
	return quota_bytes / 8;
}

/* Whether there is room for one more of @bytes. Others may be popped for it. */
bool vgpu_freed_has_room(const struct vgpu_freed *freed, uint64_t bytes);
/* There is room for it. */
void vgpu_freed_add(struct vgpu_freed *freed, const struct vgpu_render *owner,
		    uint64_t bytes, uint64_t name);
/* Take the newest of @owner's that has @bytes. False if there is none. */
bool vgpu_freed_take(struct vgpu_freed *freed, const struct vgpu_render *owner,
		     uint64_t bytes, uint64_t *ret_name);
/* Take the oldest of @owner's, of anybody's if it is NULL. */
bool vgpu_freed_pop(struct vgpu_freed *freed, const struct vgpu_render *owner,
		    uint64_t *ret_name);

#endif
