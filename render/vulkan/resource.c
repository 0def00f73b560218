/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resources of the context: memory that the guest names by number. */
#include "recording.h"

#include <sys/mman.h>
#include <time.h>

/* After so long the device will not tell of a resource any more. */
#define ADD_NS_MAX   (5 * 1000000000ULL)
#define ADD_SLICE_NS (100 * 1000000ULL)

static struct vgpu_resource **find(struct vgpu_context *ctx, uint32_t id)
{
	struct vgpu_resource **p =
		&ctx->resources[id % VGPU_ARRAY_SIZE(ctx->resources)];

	while (*p && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

static void finish(struct vgpu_resource *resource)
{
	if (resource->map)
		munmap(resource->map, resource->bytes);
}

uint8_t *vgpu_resource_get_map(struct vgpu_context *ctx,
			       struct vgpu_resource *resource)
{
	uint8_t *map;

	pthread_mutex_lock(&ctx->lock);
	map = resource->map;
	pthread_mutex_unlock(&ctx->lock);
	return map;
}

uint8_t *vgpu_resource_put_map(struct vgpu_context *ctx,
			       struct vgpu_resource *resource, uint8_t *map)
{
	uint8_t *first;

	pthread_mutex_lock(&ctx->lock);
	if (!resource->map)
		resource->map = map;
	first = resource->map;
	pthread_mutex_unlock(&ctx->lock);
	if (first != map)
		munmap(map, resource->bytes);
	return first;
}

int vgpu_resource_add(struct vgpu_context *ctx,
		      const struct vgpu_render_message *message, int fd)
{
	const uint32_t id = message->resource_id;
	vgpu_autofree struct vgpu_resource *resource = NULL;
	struct vgpu_resource **place;

	if (message->bytes == 0)
		return -EINVAL;
	resource = calloc(1, sizeof(*resource));
	if (!resource)
		return -ENOMEM;
	resource->id = id;
	resource->references = 1;
	resource->bytes = message->bytes;
	resource->is_memory = fd < 0;
	if (fd >= 0) {
		void *map = mmap(NULL, resource->bytes, PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, 0);

		if (map == MAP_FAILED)
			return -errno;
		resource->map = map;
	}

	pthread_mutex_lock(&ctx->lock);
	place = find(ctx, id);
	if (*place) {
		pthread_mutex_unlock(&ctx->lock);
		finish(resource);
		return -EEXIST;
	}
	*place = vgpu_steal(&resource);
	pthread_cond_broadcast(&ctx->resource_added);
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

bool vgpu_resource_remove(struct vgpu_context *ctx, uint32_t id)
{
	struct vgpu_resource **place, *resource;

	pthread_mutex_lock(&ctx->lock);
	place = find(ctx, id);
	resource = *place;
	if (resource)
		*place = resource->next;
	pthread_mutex_unlock(&ctx->lock);
	vgpu_resource_put(resource);
	return resource;
}

struct vgpu_resource *vgpu_resource_get(struct vgpu_context *ctx, uint32_t id)
{
	struct vgpu_resource *resource;

	pthread_mutex_lock(&ctx->lock);
	resource = *find(ctx, id);
	if (resource)
		atomic_fetch_add_explicit(&resource->references, 1,
					  memory_order_relaxed);
	pthread_mutex_unlock(&ctx->lock);
	return resource;
}

void vgpu_resource_put(struct vgpu_resource *resource)
{
	if (!resource || atomic_fetch_sub_explicit(&resource->references, 1,
						   memory_order_acq_rel) > 1)
		return;
	finish(resource);
	free(resource);
}

/* Called with the lock, which it gives up meanwhile. Returns the ns that count. */
static uint64_t wait_a_slice(struct vgpu_context *ctx)
{
	uint64_t since = vgpu_now_ns(), until_ns = since + ADD_SLICE_NS;
	const struct timespec until = {until_ns / 1000000000,
				       until_ns % 1000000000};

	pthread_cond_timedwait(&ctx->resource_added, &ctx->lock, &until);
	/* If it was longer, we were stopped, and so may the device have been. */
	return VGPU_MIN(vgpu_now_ns() - since, 2 * ADD_SLICE_NS);
}

static void wait_for_resource(struct vgpu_context *ctx, uint32_t id)
{
	uint64_t waited = 0;

	if (ctx->replay) {
		while (!*find(ctx, id))
			vgpu_replay_wait(ctx);
		return;
	}
	pthread_mutex_lock(&ctx->lock);
	while (!*find(ctx, id) && waited < ADD_NS_MAX)
		waited += wait_a_slice(ctx);
	pthread_mutex_unlock(&ctx->lock);
}

struct vgpu_resource *vgpu_resource_get_range(struct vgpu_context *ctx,
					      bool is_ring, uint32_t id,
					      uint64_t offset, uint64_t bytes)
{
	struct vgpu_resource *resource;
	uint64_t end;

	if (is_ring)
		wait_for_resource(ctx, id);
	resource = vgpu_resource_get(ctx, id);

	if (resource && !resource->is_memory &&
	    vgpu_checked_add(offset, bytes, &end) && end <= resource->bytes)
		return resource;
	vgpu_resource_put(resource);
	return NULL;
}
