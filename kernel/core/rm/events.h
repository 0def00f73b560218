/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is told of the firmware's events, by their number. */
#ifndef VGPU_KERNEL_CORE_RM_EVENTS_H
#define VGPU_KERNEL_CORE_RM_EVENTS_H

#include "kernel/core/core_ops.h"

struct vgpu_events {
	struct device *dev; /* the GPU, for the log */
	const struct vgpu_abi *abi;
	/* Protects the list, and is held while subscribers are called. */
	struct mutex lock;
	struct list_head subscribers;
	/* Our own, which write to the log. */
	struct vgpu_event_subscriber error_log;
	struct vgpu_event_subscriber rc_error;
};

void vgpu_events_init(struct vgpu_events *events, struct device *dev,
		      const struct vgpu_abi *abi);

void vgpu_events_subscribe(struct vgpu_events *events,
			   struct vgpu_event_subscriber *subscriber);
/* When it returns @subscriber is not being called, nor will be. */
void vgpu_events_unsubscribe(struct vgpu_events *events,
			     struct vgpu_event_subscriber *subscriber);

/* Tell the subscribers of @event; false where there is none. */
bool vgpu_events_dispatch(struct vgpu_events *events, u32 event,
			  const u8 *payload, u32 bytes);

#endif
