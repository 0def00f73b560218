/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clients that follow events. */
#ifndef VGPU_MANAGER_API_SUBSCRIBERS_H
#define VGPU_MANAGER_API_SUBSCRIBERS_H

#include <stdbool.h>
#include <systemd/sd-varlink.h>

#include "manager/vgpu/events.h"

struct vgpu_subscribers;

/* NULL: no memory. */
struct vgpu_subscribers *vgpu_subscribers_create(void);
void vgpu_subscribers_destroy(struct vgpu_subscribers *subscribers);

/*
 * Answer a Subscribe call, with every event, or (@owner > 0) with those of the
 * vGPUs that user @owner had when they happened. With @follow the link gets
 * every later event until vgpu_subscribers_forget(), or until it has let a
 * thousand wait and is cut off.
 */
int vgpu_subscribers_add(struct vgpu_subscribers *subscribers,
			 const struct vgpu_events *events, sd_varlink *link,
			 uint32_t owner, bool history, bool follow);
/* @link is gone. */
void vgpu_subscribers_forget(struct vgpu_subscribers *subscribers,
			     const sd_varlink *link);
/* Send @event to whom it concerns. */
void vgpu_subscribers_tell(struct vgpu_subscribers *subscribers,
			   const struct vgpu_event *event);

#endif
