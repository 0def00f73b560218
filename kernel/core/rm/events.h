/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is told of the firmware's events, by their number. */
#ifndef VGPU_KERNEL_CORE_RM_EVENTS_H
#define VGPU_KERNEL_CORE_RM_EVENTS_H

#include <linux/list.h>
#include <linux/mutex.h>

#include "kernel/core/pure/port.h"

struct vgpu_core;

/* One of our own among them: the GSP is wedged. It comes once, with no payload. */
#define VGPU_EVENT_WEDGED 0

/*
 * It is called in a thread, with no call to the GSP going on and none possible:
 * one that needs a call queues work. It must not (un)subscribe either.
 * @payload is of the firmware's, to be checked, and gone afterwards.
 */
struct vgpu_event_subscriber {
	u32 event; /* enum vgpu_rpc_function */
	void (*handle)(struct vgpu_event_subscriber *subscriber,
		       const u8 *payload, u32 bytes);
	struct list_head link; /* in vgpu_events.subscribers */
};

struct vgpu_events {
	/* Protects the list, and is held while subscribers are called. */
	struct mutex lock;
	struct list_head subscribers;
	/* The core driver's own, which tell the log. */
	struct vgpu_event_subscriber error_log;
	struct vgpu_event_subscriber rc_error;
};

void vgpu_events_init(struct vgpu_core *core);

void vgpu_events_subscribe(struct vgpu_core *core,
			   struct vgpu_event_subscriber *subscriber);
/* When it returns @subscriber is not being called, nor will be. */
void vgpu_events_unsubscribe(struct vgpu_core *core,
			     struct vgpu_event_subscriber *subscriber);

/* Tell the subscribers of @event; false where there is none. */
bool vgpu_events_dispatch(struct vgpu_core *core, u32 event, const u8 *payload,
			  u32 bytes);

#endif
