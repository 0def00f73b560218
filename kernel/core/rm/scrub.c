// SPDX-License-Identifier: GPL-2.0-or-later
/* Framebuffer is filled with zeros, or copied, by a copy engine. */
#include "scrub.h"

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sizes.h>

#include "kernel/core/abi/queue_abi.h"
#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/hw/regs.h"

/* A GPU takes some milliseconds for each GiB; what it takes at most is no bound. */
#define START_MS   4000
#define PER_GIB_MS 1000
#define POLL_US	   20

/* One launch fills as much: the engine counts words in 32 bits. */
#define FILL_BYTES SZ_1G

/* Methods: a header with how many words follow, and where the first one goes. */
#define SUBCHANNEL	  4
#define HEADER_INCREASING 0x20000000
#define HEADER_COUNT	  16
#define HEADER_SUBCHANNEL 13

#define SET_OBJECT	     0x000
#define SET_SEMAPHORE_A	     0x240 /* upper, lower, payload */
#define SET_SRC_PHYS_MODE    0x260
#define SET_DST_PHYS_MODE    0x264
#define PHYS_MODE_VRAM	     0
#define LAUNCH_DMA	     0x300
#define LAUNCH_NON_PIPELINED 0x00000002
#define LAUNCH_FLUSH	     0x00000004 /* before the semaphore is written */
#define LAUNCH_SEMAPHORE     0x00000008 /* of one word */
#define LAUNCH_SRC_PITCH     0x00000080
#define LAUNCH_DST_PITCH     0x00000100
#define LAUNCH_REMAP	     0x00000400
#define LAUNCH_SRC_PHYSICAL  0x00001000
#define LAUNCH_DST_PHYSICAL  0x00002000
#define LAUNCH_NO_PLC	     0x04000000 /* zeros are written, not remembered */
#define OFFSET_IN_UPPER	     0x400	/* and lower */
#define OFFSET_OUT_UPPER     0x408	/* and lower */
#define LINE_LENGTH_IN	     0x418 /* in words here; and the count of lines */
#define SET_REMAP_CONST_A    0x700
#define SET_REMAP_COMPONENTS 0x708
#define REMAP_X_TO_CONST_A   0x00000004
#define REMAP_OF_4_BYTES     0x00030000

struct methods {
	u32 *words;
	u32 count;
};

static void scrub_put_method(struct methods *m, u32 method, u32 count, ...)
{
	va_list values;

	m->words[m->count++] = HEADER_INCREASING | count << HEADER_COUNT |
			       SUBCHANNEL << HEADER_SUBCHANNEL | method >> 2;
	va_start(values, count);
	while (count--)
		m->words[m->count++] = va_arg(values, u32);
	va_end(values);
}

static void scrub_submit_fill(struct vgpu_channel *channel, u64 offset,
			      u32 bytes, u32 sequence)
{
	struct methods m = {.words = vgpu_channel_methods(channel)};
	u64 semaphore = vgpu_channel_semaphore_address();

	scrub_put_method(&m, SET_OBJECT, 1, VGPU_RM_CLASS_COPY);
	scrub_put_method(&m, SET_REMAP_CONST_A, 1, 0);
	scrub_put_method(&m, SET_REMAP_COMPONENTS, 1,
			 REMAP_X_TO_CONST_A | REMAP_OF_4_BYTES);
	scrub_put_method(&m, SET_DST_PHYS_MODE, 1, PHYS_MODE_VRAM);
	scrub_put_method(&m, SET_SEMAPHORE_A, 3, upper_32_bits(semaphore),
			 lower_32_bits(semaphore), sequence);
	scrub_put_method(&m, OFFSET_OUT_UPPER, 2, upper_32_bits(offset),
			 lower_32_bits(offset));
	scrub_put_method(&m, LINE_LENGTH_IN, 2, bytes / 4, 1);
	scrub_put_method(&m, LAUNCH_DMA, 1,
			 LAUNCH_NON_PIPELINED | LAUNCH_FLUSH |
				 LAUNCH_SEMAPHORE | LAUNCH_SRC_PITCH |
				 LAUNCH_DST_PITCH | LAUNCH_REMAP |
				 LAUNCH_DST_PHYSICAL | LAUNCH_NO_PLC);
	vgpu_channel_submit(channel, m.count);
}

/* Between the framebuffer and the channel's buffer. */
static void scrub_submit_copy(struct vgpu_channel *channel, u64 offset,
			      u32 bytes, bool is_to_fb, u32 sequence)
{
	struct methods m = {.words = vgpu_channel_methods(channel)};
	u64 semaphore = vgpu_channel_semaphore_address();
	u64 buffer = vgpu_channel_buffer_address();
	u64 in = is_to_fb ? buffer : offset, out = is_to_fb ? offset : buffer;

	scrub_put_method(&m, SET_OBJECT, 1, VGPU_RM_CLASS_COPY);
	scrub_put_method(&m, is_to_fb ? SET_DST_PHYS_MODE : SET_SRC_PHYS_MODE,
			 1, PHYS_MODE_VRAM);
	scrub_put_method(&m, SET_SEMAPHORE_A, 3, upper_32_bits(semaphore),
			 lower_32_bits(semaphore), sequence);
	scrub_put_method(&m, OFFSET_IN_UPPER, 2, upper_32_bits(in),
			 lower_32_bits(in));
	scrub_put_method(&m, OFFSET_OUT_UPPER, 2, upper_32_bits(out),
			 lower_32_bits(out));
	scrub_put_method(&m, LINE_LENGTH_IN, 2, bytes, 1);
	scrub_put_method(
		&m, LAUNCH_DMA, 1,
		LAUNCH_NON_PIPELINED | LAUNCH_FLUSH | LAUNCH_SEMAPHORE |
			LAUNCH_SRC_PITCH | LAUNCH_DST_PITCH | LAUNCH_NO_PLC |
			(is_to_fb ? LAUNCH_DST_PHYSICAL : LAUNCH_SRC_PHYSICAL));
	vgpu_channel_submit(channel, m.count);
}

static int scrub_wait_done(struct vgpu_gsp *gsp,
			   const struct vgpu_channel *channel, u32 sequence,
			   unsigned long deadline)
{
	bool is_late;

	for (;;) {
		is_late = time_after(jiffies, deadline);
		if (vgpu_channel_semaphore(channel) == sequence)
			return 0;
		if (READ_ONCE(channel->is_dead))
			return -EIO;
		/* The GPU is about to be reset or let go: that does not wait. */
		if (READ_ONCE(gsp->is_wedged) || gsp->ops->is_to_stop(gsp) ||
		    !vgpu_hw_is_present(gsp->hw))
			return -ENODEV;
		if (is_late)
			return -ETIMEDOUT;
		usleep_range(POLL_US, 2 * POLL_US);
	}
}

/* 0 is what the semaphore is from the start. */
static u32 scrub_next_sequence(struct vgpu_scrubber *scrubber)
{
	if (++scrubber->sequence == 0)
		scrubber->sequence++;
	return scrubber->sequence;
}

static int scrub_fill_range(struct vgpu_scrubber *scrubber,
			    struct vgpu_gsp *gsp, u64 offset, u64 bytes)
{
	u64 gibs = DIV_ROUND_UP_ULL(bytes, SZ_1G), part;
	unsigned long deadline =
		jiffies + msecs_to_jiffies(START_MS + (u32)gibs * PER_GIB_MS);
	int rc = 0;

	while (rc == 0 && bytes) {
		part = min_t(u64, bytes, FILL_BYTES);
		scrub_submit_fill(&scrubber->channel, offset, (u32)part,
				  scrub_next_sequence(scrubber));
		rc = scrub_wait_done(gsp, &scrubber->channel,
				     scrubber->sequence, deadline);
		offset += part;
		bytes -= part;
	}
	/* What it still does must be over before it is asked again. */
	if (rc)
		scrubber->channel.is_dead = true;
	return rc;
}

static int scrub_copy_range(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp,
			    u64 offset, u8 *data, u32 bytes, bool is_to_fb)
{
	struct vgpu_channel *channel = &scrubber->channel;
	unsigned long deadline = jiffies + msecs_to_jiffies(START_MS);
	int rc = 0;
	u32 part;

	for (; rc == 0 && bytes; bytes -= part) {
		part = min_t(u32, bytes, VGPU_CHANNEL_BUFFER_BYTES);
		if (is_to_fb)
			memcpy(channel->buffer.memory, data, part);
		scrub_submit_copy(channel, offset, part, is_to_fb,
				  scrub_next_sequence(scrubber));
		rc = scrub_wait_done(gsp, channel, scrubber->sequence, deadline);
		/* The buffer is read after the semaphore that says it is full. */
		vgpu_dma_rmb();
		if (rc == 0 && !is_to_fb)
			memcpy(data, channel->buffer.memory, part);
		offset += part;
		data += part;
	}
	if (rc)
		channel->is_dead = true;
	return rc;
}

/* One that was at fault gives way to a new one. */
static int scrub_get_channel(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp)
{
	struct vgpu_channel *channel = &scrubber->channel;
	int rc;

	if (channel->is_made && !READ_ONCE(channel->is_dead))
		return 0;
	vgpu_channel_stop(gsp, channel);
	if (gsp->is_wedged)
		return -ENODEV;
	vgpu_channel_finish(channel);
	rc = vgpu_channel_create(gsp, scrubber->resources, channel);
	if (rc) {
		pci_err(gsp->hw->pdev, "no channel for a copy engine: %d\n", rc);
		vgpu_channel_stop(gsp, channel);
		if (!gsp->is_wedged)
			vgpu_channel_finish(channel);
	}
	return rc;
}

int vgpu_scrubber_scrub(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp,
			u64 fb_offset, u64 bytes)
{
	int rc;

	if (!vgpu_is_aligned(fb_offset | bytes, VGPU_PAGE_BYTES) ||
	    !vgpu_is_inside(fb_offset, bytes, gsp->info.fb_bytes))
		return -EINVAL;
	mutex_lock(&scrubber->lock);
	rc = scrub_get_channel(scrubber, gsp);
	if (rc == 0)
		rc = scrub_fill_range(scrubber, gsp, fb_offset, bytes);
	mutex_unlock(&scrubber->lock);
	return rc;
}

int vgpu_scrubber_copy(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp,
		       u64 fb_offset, void *data, u32 bytes, bool is_to_fb)
{
	int rc;

	if (!vgpu_is_inside(fb_offset, bytes, gsp->info.fb_bytes))
		return -EINVAL;
	mutex_lock(&scrubber->lock);
	rc = scrub_get_channel(scrubber, gsp);
	if (rc == 0)
		rc = scrub_copy_range(scrubber, gsp, fb_offset, data, bytes,
				      is_to_fb);
	mutex_unlock(&scrubber->lock);
	return rc;
}

/* Of this channel: whoever waits for it is told at once. */
static void scrub_handle_rc_error(struct vgpu_event_subscriber *subscriber,
				  const u8 *payload, u32 bytes)
{
	struct vgpu_scrubber *scrubber =
		container_of(subscriber, struct vgpu_scrubber, rc_error);
	struct vgpu_channel *channel = &scrubber->channel;
	struct vgpu_rc_error error;

	if (scrubber->abi->get_rc_error(payload, bytes, &error) ||
	    (error.has_gfid && error.gfid) ||
	    error.channel != READ_ONCE(channel->id))
		return;
	WRITE_ONCE(channel->is_dead, true);
}

void vgpu_scrubber_init(struct vgpu_scrubber *scrubber,
			const struct vgpu_abi *abi,
			struct vgpu_resources *resources,
			struct vgpu_events *events)
{
	scrubber->abi = abi;
	scrubber->resources = resources;
	scrubber->events = events;
	mutex_init(&scrubber->lock);
	scrubber->rc_error.event = VGPU_RPC_EVENT_RC_TRIGGERED;
	scrubber->rc_error.handle = scrub_handle_rc_error;
	vgpu_events_subscribe(events, &scrubber->rc_error);
}

void vgpu_scrubber_finish(struct vgpu_scrubber *scrubber)
{
	vgpu_events_unsubscribe(scrubber->events, &scrubber->rc_error);
}

void vgpu_scrubber_stop(struct vgpu_scrubber *scrubber, struct vgpu_gsp *gsp)
{
	mutex_lock(&scrubber->lock);
	vgpu_channel_stop(gsp, &scrubber->channel);
	mutex_unlock(&scrubber->lock);
}

void vgpu_scrubber_release(struct vgpu_scrubber *scrubber)
{
	mutex_lock(&scrubber->lock);
	vgpu_channel_finish(&scrubber->channel);
	mutex_unlock(&scrubber->lock);
}
