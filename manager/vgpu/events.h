/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened: kept for a while, logged, and sent to who subscribed. */
#ifndef VGPU_MANAGER_VGPU_EVENTS_H
#define VGPU_MANAGER_VGPU_EVENTS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <systemd/sd-varlink.h>

#include "lib/name.h"

#define VGPU_EVENTS_KEPT 256

struct vgpu_event {
	uint64_t sequence;
	uint64_t time_usec; /* since the epoch */
	uint32_t owner;	    /* of the vGPU, a uid; 0 for none */
	const char *event;  /* static: "created" */
	char uuid[VGPU_UUID_SIZE];
	char name[VGPU_NAME_MAX + 1];
	char text[256];
	int64_t uid; /* who asked for it, or VGPU_EVENT_BY_NOBODY */
};

#define VGPU_EVENT_BY_NOBODY (-1)

struct vgpu_subscriber;

struct vgpu_events {
	struct vgpu_event kept[VGPU_EVENTS_KEPT]; /* at sequence modulo it */
	uint64_t next_sequence;
	TAILQ_HEAD(vgpu_subscribers, vgpu_subscriber) subscribers;
};

void vgpu_events_init(struct vgpu_events *events);
void vgpu_events_finish(struct vgpu_events *events);

/* @event is a string with static lifetime; @uuid and @name may be NULL. */
__attribute__((format(printf, 5, 6))) void
vgpu_events_add(struct vgpu_events *events, const char *event, const char *uuid,
		const char *name, const char *fmt, ...);

/* The same of one that user @uid asked for, of a vGPU of user @owner's. */
void vgpu_events_addv(struct vgpu_events *events, uint32_t owner, int64_t uid,
		      const char *event, const char *uuid, const char *name,
		      const char *fmt, va_list args);

/*
 * Answer a Subscribe call, with every event, or (@owner > 0) with those of the
 * vGPUs that user @owner had when they happened. With @follow the link gets
 * every later event until vgpu_events_forget(), or until it has let a thousand
 * wait and is cut off.
 */
int vgpu_events_subscribe(struct vgpu_events *events, sd_varlink *link,
			  uint32_t owner, bool history, bool follow);
/* @link is gone. */
void vgpu_events_forget(struct vgpu_events *events, const sd_varlink *link);

#endif
