/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events: kept for a while, logged, and passed to a listener. */
#ifndef VGPU_MANAGER_VGPU_EVENTS_H
#define VGPU_MANAGER_VGPU_EVENTS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

/* Called with each event when it is added. Do not keep the pointer. */
typedef void (*vgpu_events_listener_t)(void *userdata,
				       const struct vgpu_event *event);

struct vgpu_events {
	struct vgpu_event kept[VGPU_EVENTS_KEPT]; /* at sequence modulo it */
	uint64_t next_sequence;
	vgpu_events_listener_t listener;
	void *userdata;
};

void vgpu_events_init(struct vgpu_events *events,
		      vgpu_events_listener_t listener, void *userdata);

/* @event is a string with static lifetime; @uuid and @name may be NULL. */
__attribute__((format(printf, 5, 6))) void
vgpu_events_add(struct vgpu_events *events, const char *event, const char *uuid,
		const char *name, const char *fmt, ...);

/* The same of one that user @uid asked for, of a vGPU of user @owner's. */
void vgpu_events_addv(struct vgpu_events *events, uint32_t owner, int64_t uid,
		      const char *event, const char *uuid, const char *name,
		      const char *fmt, va_list args);

#endif
