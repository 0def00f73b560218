/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detects a process that runs but does not answer. */
#include "watchdog.h"

#include "lib/util.h"

#define USEC_PER_S 1000000ULL
#define TICK_USEC  USEC_PER_S
#define ACCURACY   (TICK_USEC / 10)
/*
 * A tick that comes later than this says that vgpud got no processor, was
 * stopped, or that the machine was: then the process may have got none either,
 * and the tick counts for nothing. In suspend the clock stands still.
 */
#define LATE_USEC (TICK_USEC / 2)
/* Ticks without an answer after which it counts as frozen. */
#define COUNTED_MAX 4
/* The same, late ticks included, for a machine whose ticks are always late. */
#define TICKS_MAX 30

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_watchdog *watchdog = userdata;
	sd_event *event = sd_event_source_get_event(source);
	uint64_t now = 0;

	sd_event_now(event, CLOCK_MONOTONIC, &now);
	if (watchdog->is_waiting) {
		watchdog->ticks++;
		watchdog->counted += now - usec < LATE_USEC;
	} else {
		watchdog->is_waiting = true;
		watchdog->ticks = 0;
		watchdog->counted = 0;
		watchdog->ops->ask(watchdog->opaque);
	}
	if (watchdog->counted >= COUNTED_MAX || watchdog->ticks >= TICKS_MAX) {
		watchdog->ops->frozen(watchdog->opaque);
		return 0;
	}
	sd_event_source_set_time(source, now + TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int vgpu_watchdog_start(struct vgpu_watchdog *watchdog, sd_event *event,
			const struct vgpu_watchdog_ops *ops, void *opaque)
{
	vgpu_watchdog_stop(watchdog);
	*watchdog = (struct vgpu_watchdog){.ops = ops, .opaque = opaque};
	return sd_event_add_time_relative(event, &watchdog->timer,
					  CLOCK_MONOTONIC, TICK_USEC, ACCURACY,
					  on_tick, watchdog);
}

void vgpu_watchdog_stop(struct vgpu_watchdog *watchdog)
{
	watchdog->timer = sd_event_source_disable_unref(watchdog->timer);
}

void vgpu_watchdog_answered(struct vgpu_watchdog *watchdog)
{
	watchdog->is_waiting = false;
}
