/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened: kept for a while, logged, and sent to who subscribed. */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/text.h"

/* Events that a subscriber may leave unread. */
#define WAITING_MAX 1024

struct vgpu_subscriber {
	TAILQ_ENTRY(vgpu_subscriber) entry; /* of vgpu_events.subscribers */
	sd_varlink *link;
	uint32_t owner;	      /* whose events it gets; 0: everyone's */
	unsigned int waiting; /* sent since the link last had nothing to write */
};

void vgpu_events_init(struct vgpu_events *events)
{
	*events = (struct vgpu_events){};
	TAILQ_INIT(&events->subscribers);
}

static void remove_subscriber(struct vgpu_events *events,
			      struct vgpu_subscriber *subscriber)
{
	TAILQ_REMOVE(&events->subscribers, subscriber, entry);
	sd_varlink_unref(subscriber->link);
	free(subscriber);
}

void vgpu_events_finish(struct vgpu_events *events)
{
	while (!TAILQ_EMPTY(&events->subscribers))
		remove_subscriber(events, TAILQ_FIRST(&events->subscribers));
}

static int send_event(sd_varlink *link, const struct vgpu_event *e)
{
	return sd_varlink_notifybo(
		link,
		SD_JSON_BUILD_PAIR_OBJECT(
			"event",
			SD_JSON_BUILD_PAIR_UNSIGNED("sequence", e->sequence),
			SD_JSON_BUILD_PAIR_UNSIGNED("time", e->time_usec),
			SD_JSON_BUILD_PAIR_STRING("event", e->event),
			SD_JSON_BUILD_PAIR_CONDITION(
				e->uuid[0], "uuid", SD_JSON_BUILD_STRING(e->uuid)),
			SD_JSON_BUILD_PAIR_CONDITION(
				e->name[0], "name", SD_JSON_BUILD_STRING(e->name)),
			SD_JSON_BUILD_PAIR_CONDITION(
				e->uid != VGPU_EVENT_BY_NOBODY, "uid",
				SD_JSON_BUILD_INTEGER(e->uid)),
			SD_JSON_BUILD_PAIR_CONDITION(
				e->text[0], "text",
				SD_JSON_BUILD_STRING(e->text))));
}

static bool is_for(const struct vgpu_event *event, uint32_t owner)
{
	return owner == 0 || event->owner == owner;
}

/* False if the subscriber is to be cut off. */
static bool deliver(struct vgpu_subscriber *subscriber,
		    const struct vgpu_event *event)
{
	int wanted = sd_varlink_get_events(subscriber->link);

	if (wanted < 0)
		return false;
	if (!(wanted & EPOLLOUT))
		subscriber->waiting = 0;
	if (++subscriber->waiting > WAITING_MAX)
		return false;
	return send_event(subscriber->link, event) >= 0;
}

static void broadcast(struct vgpu_events *events, const struct vgpu_event *event)
{
	struct vgpu_subscriber *subscriber, *next;

	for (subscriber = TAILQ_FIRST(&events->subscribers); subscriber;
	     subscriber = next) {
		__attribute__((cleanup(sd_varlink_unrefp))) sd_varlink *link =
			NULL;

		next = TAILQ_NEXT(subscriber, entry);
		if (!is_for(event, subscriber->owner) ||
		    deliver(subscriber, event))
			continue;
		/* Closing it calls vgpu_events_forget(). */
		link = sd_varlink_ref(subscriber->link);
		vgpu_log("a subscriber that does not read is cut off");
		sd_varlink_close(link);
		vgpu_events_forget(events, link);
	}
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
	broadcast(events, e);
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

static int send_history(struct vgpu_events *events, sd_varlink *link,
			uint32_t owner)
{
	uint64_t next = events->next_sequence;
	uint64_t first = next > VGPU_EVENTS_KEPT ? next - VGPU_EVENTS_KEPT : 0;
	int r = 0;

	for (uint64_t i = first; r >= 0 && i < next; i++)
		if (is_for(&events->kept[i % VGPU_EVENTS_KEPT], owner))
			r = send_event(link, &events->kept[i % VGPU_EVENTS_KEPT]);
	return r;
}

int vgpu_events_subscribe(struct vgpu_events *events, sd_varlink *link,
			  uint32_t owner, bool history, bool follow)
{
	struct vgpu_subscriber *subscriber;
	int r;

	r = sd_varlink_notifybo(
		link, SD_JSON_BUILD_PAIR_NULL("event"),
		SD_JSON_BUILD_PAIR_CONDITION(owner > 0, "onlyOwn",
					     SD_JSON_BUILD_BOOLEAN(true)));
	if (r >= 0 && history)
		r = send_history(events, link, owner);
	if (r < 0)
		return r;
	if (!follow)
		return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_NULL("event"));

	subscriber = calloc(1, sizeof(*subscriber));
	if (!subscriber)
		return -ENOMEM;
	subscriber->link = sd_varlink_ref(link);
	subscriber->owner = owner;
	TAILQ_INSERT_TAIL(&events->subscribers, subscriber, entry);
	return 0;
}

void vgpu_events_forget(struct vgpu_events *events, const sd_varlink *link)
{
	struct vgpu_subscriber *subscriber, *next;

	for (subscriber = TAILQ_FIRST(&events->subscribers); subscriber;
	     subscriber = next) {
		next = TAILQ_NEXT(subscriber, entry);
		if (subscriber->link == link)
			remove_subscriber(events, subscriber);
	}
}
