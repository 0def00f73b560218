/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clients that follow events. */
#include "subscribers.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "lib/util.h"
#include "manager/host/log.h"

/* Events that a subscriber may leave unread. */
#define WAITING_MAX 1024

struct vgpu_subscriber {
	TAILQ_ENTRY(vgpu_subscriber) entry; /* of vgpu_subscribers.list */
	sd_varlink *link;
	uint32_t owner;	      /* whose events it gets; 0: everyone's */
	unsigned int waiting; /* sent since the link last had nothing to write */
};

struct vgpu_subscribers {
	TAILQ_HEAD(vgpu_subscriber_list, vgpu_subscriber) list;
};

struct vgpu_subscribers *vgpu_subscribers_create(void)
{
	struct vgpu_subscribers *subscribers = calloc(1, sizeof(*subscribers));

	if (subscribers)
		TAILQ_INIT(&subscribers->list);
	return subscribers;
}

static void remove_subscriber(struct vgpu_subscribers *subscribers,
			      struct vgpu_subscriber *subscriber)
{
	TAILQ_REMOVE(&subscribers->list, subscriber, entry);
	sd_varlink_unref(subscriber->link);
	free(subscriber);
}

void vgpu_subscribers_destroy(struct vgpu_subscribers *subscribers)
{
	if (!subscribers)
		return;
	while (!TAILQ_EMPTY(&subscribers->list))
		remove_subscriber(subscribers, TAILQ_FIRST(&subscribers->list));
	free(subscribers);
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

void vgpu_subscribers_tell(struct vgpu_subscribers *subscribers,
			   const struct vgpu_event *event)
{
	struct vgpu_subscriber *subscriber, *next;

	for (subscriber = TAILQ_FIRST(&subscribers->list); subscriber;
	     subscriber = next) {
		__attribute__((cleanup(sd_varlink_unrefp))) sd_varlink *link =
			NULL;

		next = TAILQ_NEXT(subscriber, entry);
		if (!is_for(event, subscriber->owner) ||
		    deliver(subscriber, event))
			continue;
		/* Closing it calls vgpu_subscribers_forget(). */
		link = sd_varlink_ref(subscriber->link);
		vgpu_log("a subscriber that does not read is cut off");
		sd_varlink_close(link);
		vgpu_subscribers_forget(subscribers, link);
	}
}

static int send_history(const struct vgpu_events *events, sd_varlink *link,
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

int vgpu_subscribers_add(struct vgpu_subscribers *subscribers,
			 const struct vgpu_events *events, sd_varlink *link,
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
	TAILQ_INSERT_TAIL(&subscribers->list, subscriber, entry);
	return 0;
}

void vgpu_subscribers_forget(struct vgpu_subscribers *subscribers,
			     const sd_varlink *link)
{
	struct vgpu_subscriber *subscriber, *next;

	for (subscriber = TAILQ_FIRST(&subscribers->list); subscriber;
	     subscriber = next) {
		next = TAILQ_NEXT(subscriber, entry);
		if (subscriber->link == link)
			remove_subscriber(subscribers, subscriber);
	}
}
