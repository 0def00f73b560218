/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor thread. A guest that waits for its ring checks from time to time
 * whether the ring is alive, and aborts if not: this thread sets the alive bit,
 * even while all other threads wait for the GPU. It also enforces the limits of
 * watch.c.
 */
#include "context.h"

#include <time.h>

#define STATUS_ALIVE 4u

static void wait_until(struct vgpu_context *ctx, uint64_t ns)
{
	const struct timespec until = {ns / 1000000000, ns % 1000000000};

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->monitor.is_changed)
		pthread_cond_timedwait(&ctx->monitor.changed, &ctx->lock, &until);
	ctx->monitor.is_changed = false;
	pthread_mutex_unlock(&ctx->lock);
}

/* How often to set the alive bit; 0 if no guest checks it. */
static uint64_t read_period(struct vgpu_context *ctx)
{
	uint64_t ns;

	pthread_mutex_lock(&ctx->lock);
	/* Half the period, so that the guest sees it each time. */
	ns = ctx->monitor.period_us * 500ULL;
	pthread_mutex_unlock(&ctx->lock);
	return ns;
}

static void *monitor(void *opaque)
{
	struct vgpu_context *ctx = opaque;
	uint64_t said = 0, ticked = vgpu_now_ns();

	pthread_setname_np(pthread_self(), "vgpu-monitor");
	for (;;) {
		uint64_t period = read_period(ctx), now = vgpu_now_ns();
		uint64_t next;

		if (period && now - said >= period) {
			vgpu_rings_set_status(ctx, STATUS_ALIVE, true);
			said = now;
		}
		if (now - ticked >= ctx->watch.tick_ns) {
			vgpu_watch_tick(ctx);
			ticked = now;
		}
		next = ticked + ctx->watch.tick_ns;
		wait_until(ctx, period ? VGPU_MIN(next, said + period) : next);
	}
	return NULL;
}

void vgpu_monitor_start(struct vgpu_context *ctx)
{
	pthread_condattr_t attr;
	pthread_t thread;

	if (ctx->replay) /* a replay has no limits */
		return;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->monitor.changed, &attr);
	pthread_condattr_destroy(&attr);
	if (vgpu_thread_create(&thread, VGPU_STACK_BYTES_SMALL, monitor, ctx))
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "no thread for the monitor");
	pthread_detach(thread);
}

void vgpu_monitor_add(struct vgpu_context *ctx, uint32_t period_us)
{
	if (ctx->replay) /* a replay has no guest */
		return;
	pthread_mutex_lock(&ctx->lock);
	/* The shortest period of all rings is used. */
	if (!ctx->monitor.period_us || period_us < ctx->monitor.period_us)
		ctx->monitor.period_us = period_us;
	ctx->monitor.is_changed = true;
	pthread_cond_signal(&ctx->monitor.changed);
	pthread_mutex_unlock(&ctx->lock);
}
