/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame rate limit: RESOURCE_FLUSH is answered when the frame is due, so
 * that the guest does not start the next one earlier. Each head has its own
 * times.
 */
#include "device/gpu/display/display.h"

#include <time.h>

#define USEC_PER_S 1000000u

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_S + (uint64_t)now.tv_nsec / 1000;
}

static void arm_timer(struct vgpu_gpu *gpu, uint64_t due_usec);

static int on_due(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_gpu *gpu = opaque;
	struct vgpu_gpu_pending *pending, *next;
	uint64_t now = now_usec(), first = 0;

	for (pending = TAILQ_FIRST(&gpu->pendings); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (pending->due_usec == 0)
			continue;
		if (pending->due_usec <= now)
			vgpu_gpu_finish(gpu, &gpu->pendings, pending,
					VGPU_GPU_OK_NODATA);
		else if (first == 0 || pending->due_usec < first)
			first = pending->due_usec;
	}
	arm_timer(gpu, first);
	/* Requests for the same resource were waiting. */
	vgpu_gpu_run_waiting(gpu);
	return 0;
}

/* Have on_due() called at @due_usec, if not earlier; 0: for nothing. */
static void arm_timer(struct vgpu_gpu *gpu, uint64_t due_usec)
{
	uint64_t set = 0;
	int enabled = SD_EVENT_OFF;

	if (due_usec == 0)
		return;
	if (!gpu->frame_timer &&
	    sd_event_add_time(gpu->config.event, &gpu->frame_timer,
			      CLOCK_MONOTONIC, due_usec, 1, on_due, gpu) < 0) {
		gpu->frame_timer = NULL;
		return;
	}
	/* What is under way may be later than this. */
	sd_event_source_get_enabled(gpu->frame_timer, &enabled);
	sd_event_source_get_time(gpu->frame_timer, &set);
	if (enabled != SD_EVENT_OFF && set <= due_usec)
		return;
	sd_event_source_set_time(gpu->frame_timer, due_usec);
	sd_event_source_set_enabled(gpu->frame_timer, SD_EVENT_ONESHOT);
}

/* When the frame that is new on @head now is due; 0: at once. */
static uint64_t next_due(struct vgpu_gpu *gpu, uint32_t head, uint64_t now)
{
	uint64_t due = VGPU_MAX(now, gpu->next_frame_usec[head]);

	gpu->next_frame_usec[head] =
		due + USEC_PER_S / gpu->config.frame_rate_limit;
	return due > now ? due : 0;
}

static void count_frame(struct vgpu_gpu *gpu, uint32_t heads, uint64_t now)
{
	gpu->state->frames++;
	gpu->figures.frames++;
	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		if (!(heads & 1u << head))
			continue;
		if (gpu->last_frame_usec[head])
			vgpu_figures_count_interval(
				&gpu->figures, now - gpu->last_frame_usec[head]);
		gpu->last_frame_usec[head] = now;
	}
}

uint32_t vgpu_gpu_delay_frame(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			      uint32_t heads)
{
	struct vgpu_gpu_pending *pending;
	uint64_t now, due = 0;

	if (!heads)
		return VGPU_GPU_OK_NODATA;
	now = now_usec();
	count_frame(gpu, heads, now);
	if (!gpu->config.event || !gpu->config.frame_rate_limit)
		return VGPU_GPU_OK_NODATA;
	for (uint32_t head = 0; head < gpu->config.heads; head++)
		if (heads & 1u << head)
			due = VGPU_MAX(due, next_due(gpu, head, now));
	pending = due ? vgpu_gpu_park_running(gpu, call) : NULL;
	if (!pending)
		return VGPU_GPU_OK_NODATA;
	pending->due_usec = due;
	arm_timer(gpu, due);
	return VGPU_GPU_LATER;
}

void vgpu_gpu_set_frame_rate_limit(struct vgpu_gpu *gpu, uint32_t limit)
{
	gpu->config.frame_rate_limit =
		VGPU_MIN(limit, (uint32_t)VGPU_TYPE_FRAME_RATE_MAX);
	/*
	 * Frames that are delayed keep their times; later ones follow the new
	 * limit.
	 */
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++)
		gpu->next_frame_usec[head] = 0;
}
