/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events: kept for a while, logged, and passed to a listener. */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/text.h"

void vgpu_events_init(struct vgpu_events *events,
		      vgpu_events_listener_t listener, void *userdata)
{
	*events =
		(struct vgpu_events){.listener = listener, .userdata = userdata};
}

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void vgpu_events_addv(struct vgpu_events *events, uint32_t owner, int64_t uid,
		      const char *event, const char *uuid, const char *name,
		      const char *fmt, va_list args)
{
	struct vgpu_event *e =
		&events->kept[events->next_sequence % VGPU_EVENTS_KEPT];

	*e = (struct vgpu_event){
		.sequence = events->next_sequence++,
		.time_usec = now_usec(),
		.owner = owner,
		.event = event,
		.uid = uid,
	};
	if (uuid)
		snprintf(e->uuid, sizeof(e->uuid), "%s", uuid);
	if (name)
		snprintf(e->name, sizeof(e->name), "%s", name);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	vgpu_text_make_printable(e->text);

	if (e->uuid[0])
		vgpu_log_vgpu(e->uuid, e->name, event, "%s", e->text);
	else
		vgpu_log("%s: %s", event, e->text);
	events->listener(events->userdata, e);
}

void vgpu_events_add(struct vgpu_events *events, const char *event,
		     const char *uuid, const char *name, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vgpu_events_addv(events, /* owner= */ 0, VGPU_EVENT_BY_NOBODY, event,
			 uuid, name, fmt, args);
	va_end(args);
}
