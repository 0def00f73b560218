/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fds that clients make us hold: a part for each, and a part for who is first. */
#ifndef VGPU_DEVICE_RENDER_FD_SHARE_H
#define VGPU_DEVICE_RENDER_FD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Each share has @base fds that nobody can take from it. What it holds beyond
 * these comes from @common, of which it may have no more than four times what
 * it leaves to others. So base * shares + common is all there ever is.
 */
struct vgpu_fd_pool {
	uint32_t base;
	uint32_t common;
	uint32_t common_used;
};

/* Of one client, for one purpose. */
struct vgpu_fd_share {
	struct vgpu_fd_pool *pool;
	uint32_t used;
};

/* Divide @n fds among @shares. */
void vgpu_fd_pool_init(struct vgpu_fd_pool *pool, uint32_t n, uint32_t shares);
/* Returns whether there are @n fds more for it. */
bool vgpu_fd_share_take(struct vgpu_fd_share *share, uint32_t n);
void vgpu_fd_share_give(struct vgpu_fd_share *share, uint32_t n);

#endif
