/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that waits for its ring looks from time to time whether anybody is
 * still there, and gives itself up if not. This thread says that we are, also
 * while every other thread waits for the GPU.
 */
#include "context.h"

#include <time.h>

#define STATUS_ALIVE 4u

static void *monitor(void *opaque)
{
	struct vgpu_context *ctx = opaque;

	pthread_setname_np(pthread_self(), "vgpu-monitor");
	for (;;) {
		struct timespec until;
		uint64_t ns;

		vgpu_rings_set_status(ctx, STATUS_ALIVE, true);
		pthread_mutex_lock(&ctx->lock);
		/* Half the period: the guest must see it every time. */
		ns = vgpu_now_ns() + ctx->monitor.period_us * 500ULL;
		until = (struct timespec){ns / 1000000000, ns % 1000000000};
		pthread_cond_timedwait(&ctx->monitor.changed, &ctx->lock, &until);
		pthread_mutex_unlock(&ctx->lock);
	}
	return NULL;
}

void vgpu_monitor_start(struct vgpu_context *ctx, uint32_t period_us)
{
	pthread_condattr_t attr;
	pthread_t thread;

	if (ctx->replay) /* no guest looks */
		return;
	pthread_mutex_lock(&ctx->lock);
	if (ctx->monitor.is_started) {
		/* The ring that asks most often decides for all. */
		ctx->monitor.period_us =
			VGPU_MIN(ctx->monitor.period_us, period_us);
		pthread_cond_signal(&ctx->monitor.changed);
		pthread_mutex_unlock(&ctx->lock);
		return;
	}
	ctx->monitor.is_started = true;
	ctx->monitor.period_us = period_us;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->monitor.changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_unlock(&ctx->lock);
	if (pthread_create(&thread, NULL, monitor, ctx))
		vgpu_context_fatal(ctx, "no thread for the ring monitor");
	pthread_detach(thread);
}
