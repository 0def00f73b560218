/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of fds held for clients: a guaranteed share for each, and a common
 * pool.
 */
#ifndef VGPU_DEVICE_RENDER_FD_SHARE_H
#define VGPU_DEVICE_RENDER_FD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Each share has @base fds that no other can take. Beyond these it takes from
 * @common, but no more than four times what it leaves there. So at most base *
 * shares + common fds are held.
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
	bool is_left; /* see vgpu_fd_share_leave() */
};

/* Divide @n fds among @shares. */
void vgpu_fd_pool_init(struct vgpu_fd_pool *pool, uint32_t n, uint32_t shares);
/* Returns whether there are @n fds more for it. */
bool vgpu_fd_share_take(struct vgpu_fd_share *share, uint32_t n);
void vgpu_fd_share_give(struct vgpu_fd_share *share, uint32_t n);

/* One for fds that may be held for longer than the client is there, or NULL. */
struct vgpu_fd_share *vgpu_fd_share_new(struct vgpu_fd_pool *pool);
/*
 * The client has gone. What the share still holds counts as common from now on,
 * for its guaranteed part is the next client's. It is freed with the last of
 * it. NULL is fine.
 */
void vgpu_fd_share_leave(struct vgpu_fd_share *share);

#endif
