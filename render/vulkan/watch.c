/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time limits of commands. What counts is what a context does itself:
 *
 * - A command may use so much processor time, as may a submit (see queue.c).
 *   Time in which its thread does not run, because of other processes, a
 *   debugger or SIGSTOP, is not counted.
 * - A command that waits uses none. It may do so as long as anything in the
 *   context goes on that could end its wait: another command, the driver's
 *   threads, a submit. If for as long nothing does, nothing will. One that has
 *   no business to wait is given longer: it may be the host that keeps it, with
 *   a page of the driver that has to be read.
 *
 * A context that has no command to carry out waits for its guest, which may
 * take as long as it likes.
 */
#include "context.h"

#include <inttypes.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* Precision of the limit: how many checks there are within it. */
#define TICKS_PER_LIMIT 16
#define TICK_NS_MIN	(50 * 1000000ULL)
#define TICK_NS_MAX	NS_PER_S

/*
 * A thread that uses less than 1/1000 of the time is idle, apart from polling.
 */
#define WORKING_PART 1000

/*
 * A command that does nothing, and has no reason to wait, is given this many
 * times the limit.
 */
#define BLOCKED_LIMITS 10

/*
 * Results of one check of all streams. Commands are given by their codes, or 0.
 */
struct look {
	uint64_t driver_ns; /* the driver's work since the last check */
	uint64_t used_ns;   /* the most work of one command */
	bool has_moved;	    /* a stream has begun another command */
	uint32_t waiting; /* a command that may wait, and did at the last check */
	uint32_t blocked; /* the same of one that may not wait */
	uint32_t over;	  /* a command that has worked too long */
};

static bool may_wait(const struct vgpu_stream *stream, uint32_t code)
{
	static const char *const waits[] = {
		"vkWaitForFences",
		"vkWaitSemaphores",
		"vkDeviceWaitIdle",
		"vkDestroyDevice",
		"vkGetQueryPoolResults",
		"vkWaitRingSeqnoMESA",
		"vkDestroyRingMESA",
		"vkQueueWaitIdle",
		"vkQueueWaitIdleAsyncGOOGLE",
	};
	const char *name;
	size_t i;

	if (code == VGPU_STEP_MESSAGE)
		return true;
	name = stream->command_name(code - VGPU_STEP_COMMAND);
	for (i = 0; name && i < VGPU_ARRAY_SIZE(waits); i++)
		if (strcmp(name, waits[i]) == 0)
			return true;
	return false;
}

void vgpu_watch_init(struct vgpu_context *ctx, uint64_t work_ns_max)
{
	uint64_t tick = work_ns_max / TICKS_PER_LIMIT;

	ctx->watch.limit_ns = work_ns_max;
	ctx->watch.tick_ns = VGPU_MIN(VGPU_MAX(tick, TICK_NS_MIN), TICK_NS_MAX);
	ctx->watch.ticked_ns = vgpu_now_ns();
	vgpu_work_begin(&ctx->watch.work);
}

static void look_at(struct vgpu_context *ctx, struct vgpu_stream *stream,
		    struct look *look)
{
	struct vgpu_stream_watch *watch = &stream->watch;
	uint64_t step = atomic_load_explicit(&stream->step, memory_order_relaxed);
	uint32_t code = step & VGPU_STEP_CODE_MASK;
	uint64_t clock_ns, used_ns;

	if (step != watch->step) {
		watch->step = step;
		look->has_moved = true;
	}
	if (!code)
		return;
	clock_ns = vgpu_clock_ns(stream->clock);
	if (watch->began != step) {
		watch->began = step;
		watch->clock_ns = clock_ns;
		watch->work_ns = 0;
		return;
	}
	used_ns = clock_ns - VGPU_MIN(watch->clock_ns, clock_ns);
	watch->clock_ns = clock_ns;
	watch->work_ns += used_ns;
	/* If no submit is pending, the driver is working on a command. */
	if (!atomic_load(&ctx->n_pending))
		watch->work_ns += look->driver_ns;
	if (may_wait(stream, code)) {
		look->waiting = code;
	} else {
		look->blocked = code;
		look->used_ns = VGPU_MAX(look->used_ns, used_ns);
	}
	if (watch->work_ns > ctx->watch.limit_ns)
		look->over = code;
}

/* Of any stream: one wire has them all. */
static const char *name_of(const struct vgpu_context *ctx, uint32_t code)
{
	const char *name =
		code == VGPU_STEP_MESSAGE
			? NULL
			: ctx->stream.command_name(code - VGPU_STEP_COMMAND);

	return name ? name : "a message";
}

/* For how many ns nothing in the context has made progress. */
static uint64_t count_stall(struct vgpu_context *ctx, const struct look *look,
			    uint64_t passed_ns)
{
	uint64_t stalled_ns = atomic_load(&ctx->watch.stalled_ns);

	if (look->has_moved || (!look->waiting && !look->blocked) ||
	    VGPU_MAX(look->used_ns, look->driver_ns) > passed_ns / WORKING_PART ||
	    atomic_load(&ctx->n_running) || atomic_load(&ctx->n_asking))
		stalled_ns = 0;
	else
		stalled_ns += passed_ns;
	atomic_store(&ctx->watch.stalled_ns, stalled_ns);
	return stalled_ns;
}

void vgpu_watch_tick(struct vgpu_context *ctx)
{
	struct look look = {};
	uint64_t now = vgpu_now_ns(), limit = ctx->watch.limit_ns;
	/* If more time has passed, this process was not running. */
	uint64_t passed_ns =
		VGPU_MIN(now - ctx->watch.ticked_ns, 2 * ctx->watch.tick_ns);
	struct vgpu_stream *stream = NULL;
	struct vgpu_ring *ring;

	ctx->watch.ticked_ns = now;
	look.driver_ns = vgpu_work_ns(&ctx->watch.work);
	vgpu_work_begin(&ctx->watch.work);
	pthread_mutex_lock(&ctx->lock);
	look_at(ctx, &ctx->stream, &look);
	for (ring = ctx->rings; ring; ring = ring->next)
		look_at(ctx, &ring->stream, &look);
	while ((stream = vgpu_gfx_next_stream(ctx, stream)))
		look_at(ctx, stream, &look);
	pthread_mutex_unlock(&ctx->lock);
	if (look.over)
		vgpu_context_fatal(ctx, VGPU_LOSS_TIME,
				   "%s: more than %" PRIu64 " s of work",
				   name_of(ctx, look.over),
				   (uint64_t)(limit / NS_PER_S));
	if (count_stall(ctx, &look, passed_ns) >
	    (look.blocked ? BLOCKED_LIMITS * limit : limit))
		vgpu_context_fatal(ctx, VGPU_LOSS_TIME,
				   "%s: waits for what nothing can bring",
				   name_of(ctx, look.blocked ? look.blocked
							     : look.waiting));
}
