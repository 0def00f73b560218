/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The embedded software GPU: framebuffer from a pool. */
#include "embedded.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/control_abi.h"
#include "lib/util.h"
#include "mediated.h"

#define SEGMENT_BYTES (VGPU_POOL_SEGMENT_MIB * VGPU_MIB)

static const struct vgpu_memory_ops embedded_memory;

static struct vgpu_pool *pool_of(struct vgpu_gpu *gpu)
{
	assert(gpu->memory == &embedded_memory);
	return gpu->provider;
}

static int embedded_take(struct vgpu_gpu *gpu, uint64_t size,
			 struct vgpu_fd_store *store)
{
	size_t n = size / SEGMENT_BYTES;
	vgpu_autofree int *fds = calloc(n, sizeof(int));
	int r;

	if (!fds)
		return -ENOMEM;
	r = vgpu_pool_take(pool_of(gpu), n, fds);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		int put = vgpu_fd_store_put(
			store, (uint32_t)(VGPU_SLOT_SEGMENT + i), fds[i]);

		if (put < 0)
			r = put;
	}
	if (r < 0)
		gpu->memory->give(gpu, size, store);
	return r;
}

static void embedded_adopt(struct vgpu_gpu *gpu, uint64_t size)
{
	vgpu_pool_adopt(pool_of(gpu), size / SEGMENT_BYTES);
}

static void embedded_give(struct vgpu_gpu *gpu, uint64_t size,
			  struct vgpu_fd_store *store)
{
	size_t n = vgpu_fd_store_count_segments(store);
	vgpu_autofree int *fds = calloc(n + 1, sizeof(int));

	if (!fds) {
		vgpu_fd_store_finish(store); /* slower, the same result */
		n = 0;
	} else {
		n = vgpu_fd_store_take_segments(store, fds, n);
	}
	vgpu_pool_give(pool_of(gpu), size / SEGMENT_BYTES, fds, n);
}

/* A device sent these back: they are what it says, or it is not trusted. */
static bool embedded_is_whole(struct vgpu_gpu *gpu, uint64_t size,
			      const struct vgpu_fd_store *store)
{
	size_t n = size / SEGMENT_BYTES;

	if (vgpu_fd_store_count_segments(store) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int fd = vgpu_fd_store_get(store,
					   (uint32_t)(VGPU_SLOT_SEGMENT + i));
		int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;
		struct stat st;

		if (seals < 0 || !(seals & F_SEAL_SHRINK) ||
		    fstat(fd, &st) < 0 || st.st_size != SEGMENT_BYTES)
			return false;
	}
	return true;
}

static uint64_t embedded_ready(struct vgpu_gpu *gpu)
{
	return vgpu_pool_ready(pool_of(gpu)) * SEGMENT_BYTES;
}

static bool embedded_is_short(struct vgpu_gpu *gpu)
{
	return vgpu_pool_is_short(pool_of(gpu));
}

static int embedded_start(struct vgpu_gpu *gpu)
{
	return vgpu_pool_start(pool_of(gpu));
}

static void embedded_finish(struct vgpu_gpu *gpu)
{
	vgpu_pool_destroy(pool_of(gpu));
}

static const struct vgpu_memory_ops embedded_memory = {
	.take = embedded_take,
	.adopt = embedded_adopt,
	.give = embedded_give,
	.is_whole = embedded_is_whole,
	.ready = embedded_ready,
	.is_short = embedded_is_short,
	.start = embedded_start,
	.finish = embedded_finish,
};

int vgpu_embedded_init(struct vgpu_gpu *gpu, sd_event *event,
		       const struct vgpu_config *config,
		       vgpu_pool_progress_t progress, void *userdata)
{
	uint64_t segments = config->embedded_mib / VGPU_POOL_SEGMENT_MIB;
	uint64_t reserve = vgpu_align_up(config->embedded_reserve_mib * VGPU_MIB,
					 SEGMENT_BYTES);
	struct vgpu_pool *pool;
	int r;

	/* The reserve is accounting only: no memory is populated for it. */
	reserve = VGPU_MIN(reserve, segments * SEGMENT_BYTES);
	r = vgpu_pool_create(event, segments - reserve / SEGMENT_BYTES,
			     progress, userdata, &pool);
	if (r < 0)
		return r;
	gpu->framebuffer = (struct vgpu_framebuffer){
		.size = segments * SEGMENT_BYTES,
		.host_reserve = reserve,
		.alignment = SEGMENT_BYTES,
	};
	gpu->segment_bytes = SEGMENT_BYTES;
	gpu->provider = pool;
	gpu->memory = &embedded_memory;
	gpu->ops = &vgpu_mediated_ops;
	return 0;
}
