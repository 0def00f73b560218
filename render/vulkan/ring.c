/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring of commands in memory shared with the guest, and its thread. */
#include "recording.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* VK_RING_STATUS_IDLE_BIT_MESA */
#define STATUS_IDLE 1u

/*
 * Limit for one ring and for all rings of a context: batches are copied before
 * they are decoded.
 */
#define RING_BYTES_MAX (16ULL * 1024 * 1024)
/*
 * After this time without commands a ring sleeps until it is notified, even if
 * the guest asked for a longer time: 64 rings that poll every 160 us would take
 * most of a processor.
 */
#define IDLE_NS_MAX (10 * 1000 * 1000ULL)

struct region {
	uint64_t begin, end;
};

static bool region_init(struct region *region, uint64_t base, uint64_t offset,
			uint64_t bytes)
{
	return vgpu_checked_add(base, offset, &region->begin) &&
	       vgpu_checked_add(region->begin, bytes, &region->end);
}

/*
 * Check that the five parts of the shared memory are inside @whole and do not
 * overlap.
 */
static bool layout_is_valid(const VkRingCreateInfoMESA *info,
			    struct region part[5])
{
	struct region whole;
	unsigned int i, k;

	if (!region_init(&whole, info->offset, 0, info->size) ||
	    !region_init(&part[0], info->offset, info->headOffset, 4) ||
	    !region_init(&part[1], info->offset, info->tailOffset, 4) ||
	    !region_init(&part[2], info->offset, info->statusOffset, 4) ||
	    !region_init(&part[3], info->offset, info->bufferOffset,
			 info->bufferSize) ||
	    !region_init(&part[4], info->offset, info->extraOffset,
			 info->extraSize))
		return false;
	for (i = 0; i < 5; i++) {
		if (part[i].end > whole.end || part[i].begin % 4 ||
		    part[i].end % 4)
			return false;
		for (k = 0; k < i; k++)
			if (part[i].begin < part[k].end &&
			    part[k].begin < part[i].end)
				return false;
	}
	return info->bufferSize > 0 && info->bufferSize <= RING_BYTES_MAX &&
	       !(info->bufferSize & (info->bufferSize - 1));
}

/*
 * Copy the commands in [done, tail), so that the guest cannot change them after
 * they were checked.
 */
static void copy_commands(struct vgpu_ring *ring, uint32_t done, uint32_t bytes)
{
	uint32_t from = done & (ring->buffer_bytes - 1);
	uint32_t part = VGPU_MIN(bytes, ring->buffer_bytes - from);

	memcpy(ring->commands, ring->buffer + from, part);
	memcpy(ring->commands + part, ring->buffer, bytes - part);
}

void vgpu_ring_run(struct vgpu_ring *ring, uint32_t bytes)
{
	struct vgpu_context *ctx = ring->stream.ctx;
	struct vgpu_decoder *d = &ring->stream.decoder;
	uint32_t done = atomic_load_explicit(&ring->done, memory_order_relaxed);

	d->at = ring->commands;
	d->end = ring->commands + bytes;
	while (d->at < d->end && !ring->stream.is_cut) {
		uint32_t at;

		vgpu_stream_step(&ring->stream);
		/* The guest polls the head for its answer. */
		at = done + (uint32_t)(d->at - ring->commands);
		atomic_store_explicit(ring->head, at, memory_order_release);
		atomic_store_explicit(&ring->done, at, memory_order_seq_cst);
		if (atomic_load_explicit(&ctx->ring_waiters,
					 memory_order_seq_cst)) {
			pthread_mutex_lock(&ctx->lock);
			pthread_cond_broadcast(&ctx->ring_moved);
			pthread_mutex_unlock(&ctx->lock);
		}
	}
}

static void run_commands(struct vgpu_ring *ring, uint32_t tail)
{
	uint32_t done = atomic_load_explicit(&ring->done, memory_order_relaxed);
	uint32_t bytes = tail - done;

	if (bytes > ring->buffer_bytes)
		vgpu_context_fatal(ring->stream.ctx, VGPU_LOSS_STREAM,
				   "ring: its tail is beyond its buffer");
	copy_commands(ring, done, bytes);
	vgpu_record_commands(&ring->stream, VGPU_RECORD_BATCH, ring->commands,
			     bytes);
	vgpu_ring_run(ring, bytes);
}

/* Sleep until the guest notifies the ring, or it is to stop. */
static void sleep_idle(struct vgpu_ring *ring)
{
	atomic_fetch_or_explicit(ring->status, STATUS_IDLE, memory_order_seq_cst);
	pthread_mutex_lock(&ring->lock);
	/*
	 * Check the tail again: a guest that had not seen IDLE does not notify.
	 */
	while (!ring->is_stopping && !ring->is_notified &&
	       atomic_load_explicit(ring->tail, memory_order_seq_cst) ==
		       atomic_load_explicit(&ring->done, memory_order_relaxed))
		pthread_cond_wait(&ring->wake, &ring->lock);
	ring->is_notified = false;
	pthread_mutex_unlock(&ring->lock);
	atomic_fetch_and_explicit(ring->status, ~STATUS_IDLE,
				  memory_order_seq_cst);
}

static void *ring_thread(void *opaque)
{
	struct vgpu_ring *ring = opaque;
	struct vgpu_idle idle;

	vgpu_idle_init(&idle);
	pthread_setname_np(pthread_self(), "vgpu-ring");
	prctl(PR_SET_TIMERSLACK, 1000UL);
	if (ring->has_priority) /* optional: a failure is ignored */
		setpriority(PRIO_PROCESS, 0, VGPU_MAX(ring->priority, 0));
	for (;;) {
		/*
		 * Read this before the tail: commands written after the stop
		 * need not run.
		 */
		bool is_last = atomic_load_explicit(&ring->is_stopping,
						    memory_order_acquire);
		uint32_t tail =
			atomic_load_explicit(ring->tail, memory_order_acquire);

		if (tail !=
		    atomic_load_explicit(&ring->done, memory_order_relaxed)) {
			vgpu_idle_end(&idle);
			run_commands(ring, tail);
			if (is_last || ring->stream.is_cut)
				return NULL;
			vgpu_idle_restart(&idle);
			continue;
		}
		if (is_last)
			return NULL;
		if (vgpu_idle_wait(&idle) > ring->idle_timeout_ns) {
			sleep_idle(ring);
			vgpu_idle_init(&idle);
		}
	}
}

static const VkBaseInStructure *find_struct(const void *chain, uint32_t type)
{
	const VkBaseInStructure *s = chain;

	while (s && (uint32_t)s->sType != type)
		s = s->pNext;
	return s;
}

static void read_options(struct vgpu_ring *ring, const VkRingCreateInfoMESA *info)
{
	const VkRingMonitorInfoMESA *monitor = (const void *)find_struct(
		info->pNext, VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA);
	const VkRingPriorityInfoMESA *priority = (const void *)find_struct(
		info->pNext, VK_STRUCTURE_TYPE_RING_PRIORITY_INFO_MESA);

	if (monitor) {
		ring->is_monitored = true;
		vgpu_monitor_add(
			ring->stream.ctx,
			VGPU_MAX(monitor->maxReportingPeriodMicroseconds, 1000U));
	}
	if (priority) {
		ring->has_priority = true;
		ring->priority = priority->priority;
	}
}

/* A replay has no ring threads: batches come from the recording. */
static int start_thread(struct vgpu_ring *ring)
{
	int r;

	if (ring->stream.ctx->replay)
		return 0;
	r = vgpu_thread_create(&ring->thread, VGPU_STACK_BYTES, ring_thread,
			       ring);
	if (r == 0)
		pthread_getcpuclockid(ring->thread, &ring->stream.clock);
	return -r;
}

static void stop_thread(struct vgpu_ring *ring)
{
	if (ring->stream.ctx->replay) {
		vgpu_replay_drain(ring->stream.ctx);
		return;
	}
	pthread_mutex_lock(&ring->lock);
	ring->is_stopping = true;
	pthread_cond_signal(&ring->wake);
	pthread_mutex_unlock(&ring->lock);
	pthread_join(ring->thread, NULL);
}

/* Tell the device where the status word of the ring is. */
static void announce(const struct vgpu_ring *ring, bool is_there)
{
	const struct vgpu_render_message message = {
		.type = VGPU_RENDER_RING,
		.resource_id = ring->resource->id,
		.offset = (uintptr_t)ring->status - (uintptr_t)ring->resource->map,
		.n = is_there,
	};

	vgpu_channel_send(ring->stream.ctx, &message, NULL, 0);
}

static void free_ring(struct vgpu_ring *ring)
{
	if (!ring)
		return;
	vgpu_stream_finish(&ring->stream);
	vgpu_resource_put(ring->resource);
	pthread_mutex_destroy(&ring->lock);
	pthread_cond_destroy(&ring->wake);
	free(ring->commands);
	free(ring);
}

static int check_room(struct vgpu_context *ctx, uint64_t id, uint64_t bytes)
{
	unsigned int n = 0;
	struct vgpu_ring *ring;

	for (ring = ctx->rings; ring; ring = ring->next, n++) {
		if (ring->id == id)
			return -EEXIST;
		bytes += ring->buffer_bytes;
	}
	return n < VGPU_RENDER_RINGS_MAX && bytes <= RING_BYTES_MAX ? 0 : -ENOSPC;
}

int vgpu_ring_create(struct vgpu_context *ctx, uint64_t id,
		     const VkRingCreateInfoMESA *info)
{
	struct vgpu_resource *resource;
	struct region part[5];
	struct vgpu_ring *ring;
	int r;

	if (!layout_is_valid(info, part))
		return -EINVAL;
	r = check_room(ctx, id, info->bufferSize);
	if (r < 0)
		return r;
	resource = vgpu_resource_get_range(ctx, /* is_ring= */ false,
					   info->resourceId, info->offset,
					   info->size);
	if (!resource)
		return -EINVAL;

	ring = calloc(1, sizeof(*ring));
	if (!ring) {
		vgpu_resource_put(resource);
		return -ENOMEM;
	}
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->wake, NULL);
	ring->id = id;
	ring->resource = resource;
	ring->head = (atomic_uint *)(resource->map + part[0].begin);
	ring->tail = (atomic_uint *)(resource->map + part[1].begin);
	ring->status = (atomic_uint *)(resource->map + part[2].begin);
	ring->buffer = resource->map + part[3].begin;
	ring->buffer_bytes = info->bufferSize;
	ring->extra = resource->map + part[4].begin;
	ring->extra_bytes = info->extraSize;
	ring->idle_timeout_ns = VGPU_MIN(info->idleTimeout, IDLE_NS_MAX);
	ring->commands = malloc(ring->buffer_bytes);
	vgpu_stream_init(&ring->stream, ctx, ring);
	if (!ring->commands) {
		free_ring(ring);
		return -ENOMEM;
	}
	if (ctx->replay) { /* a recording does not contain that the guest cleared it */
		atomic_store(ring->head, 0);
		atomic_store(ring->status, 0);
	}
	if (atomic_load(ring->head) || atomic_load(ring->status)) {
		free_ring(ring);
		return -EINVAL;
	}
	read_options(ring, info);
	ring->stream.number = ++ctx->n_rings;
	if (ctx->replay) /* earlier records are not for this ring */
		ring->stream.replayed = ctx->stream.replayed;
	r = start_thread(ring);
	if (r < 0) {
		free_ring(ring);
		return r;
	}
	pthread_mutex_lock(&ctx->lock);
	ring->next = ctx->rings;
	ctx->rings = ring;
	pthread_mutex_unlock(&ctx->lock);
	announce(ring, /* is_there= */ true);
	return 0;
}

struct vgpu_ring *vgpu_ring_find(struct vgpu_context *ctx, uint64_t id)
{
	struct vgpu_ring *ring = ctx->rings;

	while (ring && ring->id != id)
		ring = ring->next;
	return ring;
}

void vgpu_ring_destroy(struct vgpu_ring *ring)
{
	struct vgpu_context *ctx = ring->stream.ctx;
	struct vgpu_ring **p;

	stop_thread(ring);
	announce(ring, /* is_there= */ false);
	pthread_mutex_lock(&ctx->lock);
	for (p = &ctx->rings; *p != ring; p = &(*p)->next)
		;
	*p = ring->next;
	ctx->n_ended_commands += ring->stream.n_commands;
	pthread_mutex_unlock(&ctx->lock);
	free_ring(ring);
}

void vgpu_ring_notify(struct vgpu_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->is_notified = true;
	pthread_cond_broadcast(&ring->wake);
	pthread_mutex_unlock(&ring->lock);
}

bool vgpu_ring_write_extra(struct vgpu_ring *ring, uint64_t offset, uint32_t value)
{
	uint64_t end;

	if (offset % 4 || !vgpu_checked_add(offset, 4, &end) ||
	    end > ring->extra_bytes)
		return false;
	atomic_store_explicit((atomic_uint *)(ring->extra + offset), value,
			      memory_order_release);
	return true;
}

void vgpu_ring_wait(struct vgpu_ring *ring, uint32_t seqno)
{
	struct vgpu_context *ctx = ring->stream.ctx;

	if (ctx->replay) {
		while ((int32_t)(ring->done - seqno) < 0)
			vgpu_replay_wait(ctx);
		return;
	}
	vgpu_ring_notify(
		ring); /* it may be asleep with earlier commands pending */
	pthread_mutex_lock(&ctx->lock);
	atomic_fetch_add_explicit(&ctx->ring_waiters, 1, memory_order_seq_cst);
	while ((int32_t)(atomic_load_explicit(&ring->done, memory_order_seq_cst) -
			 seqno) < 0)
		pthread_cond_wait(&ctx->ring_moved, &ctx->lock);
	atomic_fetch_sub_explicit(&ctx->ring_waiters, 1, memory_order_seq_cst);
	pthread_mutex_unlock(&ctx->lock);
}

void vgpu_ring_submit_virtqueue_seqno(struct vgpu_ring *ring, uint64_t seqno)
{
	pthread_mutex_lock(&ring->lock);
	ring->virtqueue_seqno = seqno;
	pthread_cond_broadcast(&ring->wake);
	pthread_mutex_unlock(&ring->lock);
}

void vgpu_ring_wait_virtqueue_seqno(struct vgpu_ring *ring, uint64_t seqno)
{
	if (ring->stream.ctx->replay) {
		while (ring->virtqueue_seqno < seqno)
			vgpu_replay_wait(ring->stream.ctx);
		return;
	}
	vgpu_stream_end(&ring->stream); /* waiting for the guest is not work */
	pthread_mutex_lock(&ring->lock);
	while (ring->virtqueue_seqno < seqno && !ring->is_stopping)
		pthread_cond_wait(&ring->wake, &ring->lock);
	pthread_mutex_unlock(&ring->lock);
}

void vgpu_rings_set_status(struct vgpu_context *ctx, uint32_t bits,
			   bool monitored_only)
{
	struct vgpu_ring *ring;

	pthread_mutex_lock(&ctx->lock);
	for (ring = ctx->rings; ring; ring = ring->next)
		if (ring->is_monitored || !monitored_only)
			atomic_fetch_or_explicit(ring->status, bits,
						 memory_order_seq_cst);
	pthread_mutex_unlock(&ctx->lock);
}
