/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of fds held for clients: a guaranteed share for each, and a common
 * pool.
 */
#include "fd_share.h"

#include "lib/util.h"

/* What one share can have of the common part, against what is left then. */
#define COMMON_FACTOR 4U

void vgpu_fd_pool_init(struct vgpu_fd_pool *pool, uint32_t n, uint32_t shares)
{
	*pool = (struct vgpu_fd_pool){.base = n / 2 / shares};
	pool->common = n - pool->base * shares;
}

static uint32_t beyond_base(const struct vgpu_fd_share *share, uint32_t used)
{
	return used > share->pool->base ? used - share->pool->base : 0;
}

static bool has_room(const struct vgpu_fd_share *share, uint32_t n)
{
	const struct vgpu_fd_pool *pool = share->pool;
	uint32_t free = pool->common - pool->common_used;
	uint32_t then = beyond_base(share, share->used + n);
	uint32_t more = then - beyond_base(share, share->used);

	return !more || (more <= free && then <= COMMON_FACTOR * (free - more));
}

bool vgpu_fd_share_take(struct vgpu_fd_share *share, uint32_t n)
{
	if (!has_room(share, n))
		return false;
	share->pool->common_used += beyond_base(share, share->used + n) -
				    beyond_base(share, share->used);
	share->used += n;
	return true;
}

void vgpu_fd_share_give(struct vgpu_fd_share *share, uint32_t n)
{
	uint32_t now = beyond_base(share, share->used);

	share->used -= n;
	share->pool->common_used -= now - beyond_base(share, share->used);
}
