// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is told of the firmware's events, by their number. */
#include "events.h"

#include <linux/device.h>
#include <linux/export.h>

#include "kernel/core/abi/queue_abi.h"
#include "kernel/core/abi/rm_abi.h"

/* A guest can cause these: the log must not be filled by one. */
static void events_log_error(struct vgpu_event_subscriber *subscriber,
			     const u8 *payload, u32 bytes)
{
	struct vgpu_events *events =
		container_of(subscriber, struct vgpu_events, error_log);
	const struct vgpu_rm_error_log *error = (const void *)payload;
	struct device *dev = events->dev;
	int length;

	if (bytes < sizeof(*error) - sizeof(error->previous_type)) {
		dev_err_ratelimited(dev, "GSP: an error report of %u bytes\n",
				    bytes);
		return;
	}
	/* One line: what cannot be printed of it is escaped. */
	length = (int)strnlen(error->text, sizeof(error->text));
	while (length > 0 && error->text[length - 1] == '\n')
		length--;
	dev_err_ratelimited(dev, "GSP: Xid %u: %*pE\n", error->type, length,
			    error->text);
}

/* VFs are counted from 1, as their GFIDs are; GFID 0 is the PF's own. */
static void events_log_rc_error(struct vgpu_event_subscriber *subscriber,
				const u8 *payload, u32 bytes)
{
	struct vgpu_events *events =
		container_of(subscriber, struct vgpu_events, rc_error);
	struct device *dev = events->dev;
	struct vgpu_rc_error error;

	if (events->abi->get_rc_error(payload, bytes, &error))
		dev_err_ratelimited(dev, "GSP: a channel error of %u bytes\n",
				    bytes);
	else if (!error.has_gfid)
		dev_err_ratelimited(dev, "error %u of channel %u\n", error.type,
				    error.channel);
	else if (error.gfid == 0)
		dev_err_ratelimited(dev, "PF: error %u of channel %u\n",
				    error.type, error.channel);
	else
		dev_err_ratelimited(dev, "VF %u: error %u of channel %u\n",
				    error.gfid, error.type, error.channel);
}

void vgpu_events_init(struct vgpu_events *events, struct device *dev,
		      const struct vgpu_abi *abi)
{
	events->dev = dev;
	events->abi = abi;
	mutex_init(&events->lock);
	INIT_LIST_HEAD(&events->subscribers);
	events->error_log.event = VGPU_RPC_EVENT_OS_ERROR_LOG;
	events->error_log.handle = events_log_error;
	vgpu_events_subscribe(events, &events->error_log);
	events->rc_error.event = VGPU_RPC_EVENT_RC_TRIGGERED;
	events->rc_error.handle = events_log_rc_error;
	vgpu_events_subscribe(events, &events->rc_error);
}
EXPORT_SYMBOL_GPL(vgpu_events_init);

void vgpu_events_subscribe(struct vgpu_events *events,
			   struct vgpu_event_subscriber *subscriber)
{
	mutex_lock(&events->lock);
	list_add_tail(&subscriber->link, &events->subscribers);
	mutex_unlock(&events->lock);
}
EXPORT_SYMBOL_GPL(vgpu_events_subscribe);

void vgpu_events_unsubscribe(struct vgpu_events *events,
			     struct vgpu_event_subscriber *subscriber)
{
	mutex_lock(&events->lock);
	list_del(&subscriber->link);
	mutex_unlock(&events->lock);
}
EXPORT_SYMBOL_GPL(vgpu_events_unsubscribe);

bool vgpu_events_dispatch(struct vgpu_events *events, u32 event,
			  const u8 *payload, u32 bytes)
{
	struct vgpu_event_subscriber *subscriber;
	bool is_taken = false;

	mutex_lock(&events->lock);
	list_for_each_entry(subscriber, &events->subscribers, link) {
		if (subscriber->event != event)
			continue;
		subscriber->handle(subscriber, payload, bytes);
		is_taken = true;
	}
	mutex_unlock(&events->lock);
	return is_taken;
}
EXPORT_SYMBOL_GPL(vgpu_events_dispatch);
