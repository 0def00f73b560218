/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of fds held for clients: a guaranteed share for each, and a common
 * pool.
 */
#include "fd_share.h"

#include <stdlib.h>

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
	uint32_t base = share->is_left ? 0 : share->pool->base;

	return used > base ? used - base : 0;
}

static bool has_room(const struct vgpu_fd_share *share, uint32_t n)
{
	const struct vgpu_fd_pool *pool = share->pool;
	/* What those hold who left may be more than there is of it. */
	uint32_t free = pool->common - VGPU_MIN(pool->common_used, pool->common);
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
	if (share->is_left && !share->used)
		free(share);
}

struct vgpu_fd_share *vgpu_fd_share_new(struct vgpu_fd_pool *pool)
{
	struct vgpu_fd_share *share = malloc(sizeof(*share));

	if (share)
		*share = (struct vgpu_fd_share){.pool = pool};
	return share;
}

void vgpu_fd_share_leave(struct vgpu_fd_share *share)
{
	uint32_t now;

	if (!share)
		return;
	if (!share->used) {
		free(share);
		return;
	}
	now = beyond_base(share, share->used);
	share->is_left = true;
	share->pool->common_used += beyond_base(share, share->used) - now;
}
