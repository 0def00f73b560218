/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Having a guest take up the mode that a head prefers from now on. Its kernel
 * learns of it at once; its desktop may follow, or keep the mode that it has as
 * long as the monitor stays (Weston does). Then the monitor goes for a moment:
 *
 *   the mode is set --FOLLOW_US, and the head shows another size--> AWAY:
 *     the guest is told that the head is unplugged
 *   AWAY --SETTLE_US after the head shows nothing, or AWAY_US--> it is told
 *     that the head is plugged in
 *
 * The head is not touched while it shows nothing, and not where it has come to
 * show the mode meanwhile.
 */
#include "device/gpu/display/display.h"

#define USEC_PER_S 1000000ULL
/* A desktop that follows does it within that, on a slow machine too. */
#define FOLLOW_US (4 * USEC_PER_S)
/* For one that goes on showing something: a console, say. */
#define AWAY_US (10 * USEC_PER_S)
/* Between the end of a desktop's output and the next. */
#define SETTLE_US (USEC_PER_S / 4)

static void tell_guest(struct vgpu_gpu *gpu)
{
	gpu->state->events_read |= VGPU_GPU_EVENT_DISPLAY;
	gpu->ops->config_changed(gpu->opaque);
}

static bool shows_other_size(const struct vgpu_gpu *gpu, uint32_t head)
{
	const struct vgpu_gpu_state_view *view = vgpu_gpu_view_of(gpu, head);
	uint32_t width, height;

	vgpu_gpu_head_mode(gpu, head, &width, &height);
	return view && width &&
	       (view->rect.width != width || view->rect.height != height);
}

static int on_time(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_gpu_replug *replug = opaque;
	struct vgpu_gpu *gpu = replug->gpu;
	uint32_t head = (uint32_t)(replug - gpu->replug);
	struct vgpu_gpu_state_head *at = &gpu->state->head[head];

	if (at->is_away) {
		vgpu_gpu_commit(&at->is_away, 0u);
		tell_guest(gpu);
	} else if (shows_other_size(gpu, head)) {
		vgpu_gpu_commit(&at->is_away, 1u);
		tell_guest(gpu);
		sd_event_source_set_time_relative(source, AWAY_US);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* Returns whether on_time() comes then. */
static bool arm_timer(struct vgpu_gpu *gpu, uint32_t head, uint64_t after_us)
{
	struct vgpu_gpu_replug *replug = &gpu->replug[head];

	if (!gpu->config.event)
		return false;
	replug->gpu = gpu;
	if (!replug->timer)
		return sd_event_add_time_relative(gpu->config.event,
						  &replug->timer,
						  CLOCK_MONOTONIC, after_us, 0,
						  on_time, replug) >= 0;
	return sd_event_source_set_time_relative(replug->timer, after_us) >= 0 &&
	       sd_event_source_set_enabled(replug->timer, SD_EVENT_ONESHOT) >= 0;
}

void vgpu_gpu_replug_mode_set(struct vgpu_gpu *gpu, uint32_t head)
{
	/* It learns of this mode when it comes back. */
	if (!gpu->state->head[head].is_away && shows_other_size(gpu, head))
		arm_timer(gpu, head, FOLLOW_US);
}

void vgpu_gpu_replug_off(struct vgpu_gpu *gpu, uint32_t head)
{
	if (gpu->state->head[head].is_away && !arm_timer(gpu, head, SETTLE_US))
		vgpu_gpu_commit(&gpu->state->head[head].is_away, 0u);
}

void vgpu_gpu_replug_resume(struct vgpu_gpu *gpu)
{
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++) {
		struct vgpu_gpu_state_head *at = &gpu->state->head[head];

		if (at->is_away && (head >= gpu->config.heads ||
				    !arm_timer(gpu, head, SETTLE_US)))
			at->is_away = 0;
	}
}

void vgpu_gpu_replug_finish(struct vgpu_gpu *gpu)
{
	for (uint32_t head = 0; head < VGPU_GPU_SCANOUTS_MAX; head++)
		sd_event_source_disable_unref(gpu->replug[head].timer);
}
