/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detects a process that runs but does not answer. */
#ifndef VGPU_MANAGER_HOST_WATCHDOG_H
#define VGPU_MANAGER_HOST_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

/* How long a process may leave a question unanswered, as text for messages. */
#define VGPU_WATCHDOG_REASON "did not answer for 5 s and "

struct vgpu_watchdog_ops {
	/* Ask the process for an answer. A failure is not reported. */
	void (*ask)(void *opaque);
	/* There was none for almost 5 s. No call follows. */
	void (*frozen)(void *opaque);
};

/* All zero: it does not run. */
struct vgpu_watchdog {
	const struct vgpu_watchdog_ops *ops;
	void *opaque;
	sd_event_source *timer;
	bool is_waiting;      /* for an answer */
	unsigned int ticks;   /* since it was asked */
	unsigned int counted; /* ... at which we were not late ourselves */
};

int vgpu_watchdog_start(struct vgpu_watchdog *watchdog, sd_event *event,
			const struct vgpu_watchdog_ops *ops, void *opaque);
void vgpu_watchdog_stop(struct vgpu_watchdog *watchdog);
/* The process answered. */
void vgpu_watchdog_answered(struct vgpu_watchdog *watchdog);

#endif
