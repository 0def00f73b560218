/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The embedded GPU's framebuffer: populated memory in segments, made ahead. */
#ifndef VGPU_MANAGER_GPU_MEDIATED_POOL_H
#define VGPU_MANAGER_GPU_MEDIATED_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#define VGPU_POOL_SEGMENT_MIB 128

/*
 * A segment is a sealed memfd, wholly populated with zeroes. One thread makes
 * segments until those that are ready and those that are held come to the
 * pool's size. A segment that comes back is closed and another made in its
 * place: who kept an fd of the old one never sees the next owner's bytes.
 */
struct vgpu_pool;

/* Called in the event loop when more is ready, or the memory became short. */
typedef void (*vgpu_pool_progress_t)(void *userdata);

/* A pool of @segments. Nothing is made before vgpu_pool_start(). */
int vgpu_pool_create(sd_event *event, size_t segments,
		     vgpu_pool_progress_t progress, void *userdata,
		     struct vgpu_pool **ret_pool);
int vgpu_pool_start(struct vgpu_pool *pool);
void vgpu_pool_destroy(struct vgpu_pool *pool); /* NULL is fine */

/* Take @n ready segments, or none and -EAGAIN if so many are not ready. */
int vgpu_pool_take(struct vgpu_pool *pool, size_t n, int *ret_fds);
/* Count @n segments as held that an earlier vgpud gave out. */
void vgpu_pool_adopt(struct vgpu_pool *pool, size_t n);
/* @held segments come back; @n fds of them are closed in the background. */
void vgpu_pool_give(struct vgpu_pool *pool, size_t held, const int *fds,
		    size_t n);

size_t vgpu_pool_ready(struct vgpu_pool *pool);
/* True while the machine has no memory for the next segment. */
bool vgpu_pool_is_short(struct vgpu_pool *pool);

#endif
