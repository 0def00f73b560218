/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framebuffer that is held, and exchanged for pages of other files. */
#ifndef VGPU_DEVICE_RENDER_RESERVE_H
#define VGPU_DEVICE_RENDER_RESERVE_H

#include <stdint.h>

/*
 * A vGPU's framebuffer is pages of its segments, which nobody else can have.
 * The programs of a container have a file for each allocation instead: for each
 * page of theirs one of the segments is given back to the machine, and made
 * anew when theirs is gone.
 */
struct vgpu_reserve;

/*
 * The first @bytes of @n segments, whose fds stay the caller's. What a
 * predecessor had lent is filled again; -ENOSPC if the machine has not so much.
 */
int vgpu_reserve_create(const int *segment, uint32_t n, uint64_t segment_bytes,
			uint64_t bytes, struct vgpu_reserve **ret_reserve);
void vgpu_reserve_destroy(struct vgpu_reserve *reserve); /* NULL is fine */

/* From now on @bytes are lent, page by page. NULL is fine. */
void vgpu_reserve_lend(struct vgpu_reserve *reserve, uint64_t bytes);

#endif
