// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls to the GSP's firmware, and what it says of itself meanwhile. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>

#include "kernel/core/abi/rm_abi.h"
#include "gsp.h"
#include "kernel/core/hw/regs.h"
#include "kernel/core/pure/rpc.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define ROOM_MS	     5000
#define REPLY_MS     5000
#define INIT_DONE_MS 10000
/* Of a message whose memory may be late, or in place of which an old one comes. */
#define RETRIES_MAX 3
#define POLL_US	    50
#define AT_ONCE_MAX 1024 /* messages for one interrupt */

static_assert(VGPU_PAGE_BYTES == VGPU_MSGQ_HEADER_BYTES, "a queue's header");

static unsigned long rpc_deadline_of(u32 ms)
{
	return jiffies + msecs_to_jiffies(ms);
}

/* Whoever waits now and later is told at once; the log says why. */
static int rpc_wedge(struct vgpu_gsp *gsp, int rc, const char *why)
{
	if (gsp->is_wedged)
		return rc;
	pci_err(gsp->hw->pdev, "GSP is wedged: %s: %d\n", why, rc);
	trace_vgpu_gsp_wedged(pci_name(gsp->hw->pdev), why);
	WRITE_ONCE(gsp->is_wedged, true);
	gsp->ops->on_wedged(gsp, why);
	return rc;
}

void vgpu_gsp_wedge(struct vgpu_gsp *gsp, const char *why)
{
	mutex_lock(&gsp->lock);
	rpc_wedge(gsp, -EIO, why);
	mutex_unlock(&gsp->lock);
}

int vgpu_gsp_rpc_init(struct vgpu_gsp *gsp)
{
	u8 *command, *status;
	u32 pages = 1 + 2 * VGPU_GSP_QUEUE_BYTES / VGPU_PAGE_BYTES;
	int rc;

	mutex_init(&gsp->send_lock);
	mutex_init(&gsp->lock);
	INIT_LIST_HEAD(&gsp->calls);
	gsp->record = kvmalloc(VGPU_RPC_BYTES_MAX, GFP_KERNEL);
	gsp->message = kvmalloc(VGPU_MSGQ_MESSAGE_BYTES, GFP_KERNEL);
	if (!gsp->record || !gsp->message)
		return -ENOMEM;
	/* A page with the addresses of all, itself included; two queues. */
	rc = vgpu_dma_create(gsp->hw, (size_t)pages * VGPU_PAGE_BYTES,
			     &gsp->queues);
	if (rc)
		return rc;
	vgpu_dma_list_pages(&gsp->queues, gsp->queues.memory);
	command = (u8 *)gsp->queues.memory + VGPU_PAGE_BYTES;
	status = command + VGPU_GSP_QUEUE_BYTES;
	return vgpu_msgq_sender_init(&gsp->sender, command,
				     VGPU_GSP_QUEUE_BYTES, status);
}

void vgpu_gsp_rpc_finish(struct vgpu_gsp *gsp)
{
	vgpu_dma_destroy(gsp->hw, &gsp->queues);
	kvfree(gsp->message);
	kvfree(gsp->record);
	gsp->message = NULL;
	gsp->record = NULL;
}

/* Once the firmware has written its queue's header. */
static int rpc_link_receiver(struct vgpu_gsp *gsp)
{
	u8 *command = (u8 *)gsp->queues.memory + VGPU_PAGE_BYTES;
	int rc;

	if (gsp->is_linked)
		return 0;
	rc = vgpu_msgq_receiver_init(&gsp->receiver,
				     command + VGPU_GSP_QUEUE_BYTES,
				     VGPU_GSP_QUEUE_BYTES, command);
	gsp->is_linked = rc == 0;
	return rc;
}

/*
 * With both locks. Where the firmware is slow to take messages, that of the
 * queues is given up meanwhile, for replies are to be received.
 */
static int rpc_send_record(struct vgpu_gsp *gsp, u32 bytes)
{
	unsigned long deadline = rpc_deadline_of(ROOM_MS);
	int rc;

	for (;;) {
		if (gsp->is_wedged)
			return -EIO;
		rc = vgpu_msgq_send(&gsp->sender, gsp->record, bytes);
		if (rc != -EAGAIN)
			break;
		if (time_after(jiffies, deadline))
			return rpc_wedge(gsp, -ETIMEDOUT, "it takes no message");
		mutex_unlock(&gsp->lock);
		usleep_range(POLL_US, 2 * POLL_US);
		mutex_lock(&gsp->lock);
	}
	if (rc)
		return rpc_wedge(gsp, rc, "its command queue is broken");
	vgpu_hw_write(gsp->hw, REG_GSP_DOORBELL, 0);
	return 0;
}

/* With both locks: the records of a message follow each other. */
static int rpc_send_message(struct vgpu_gsp *gsp, u32 function, u32 sequence,
			    const void *payload, u32 bytes)
{
	struct vgpu_rpc_message message = {
		.function = function,
		.sequence = sequence,
		.payload = payload,
		.payload_bytes = bytes,
	};
	u32 count = vgpu_rpc_count_records(bytes), i;
	int rc;

	for (i = 0; i < count; i++) {
		rc = rpc_send_record(
			gsp, vgpu_rpc_write_record(&message, i, gsp->record));
		if (rc)
			return rc;
	}
	trace_vgpu_rpc_sent(pci_name(gsp->hw->pdev), function, sequence, bytes);
	return 0;
}

static void rpc_handle_event(struct vgpu_gsp *gsp,
			     const struct vgpu_rpc_header *rpc)
{
	int rc;

	if (rpc->function == VGPU_RPC_EVENT_GSP_RUN_CPU_SEQUENCER) {
		rc = vgpu_gsp_run_sequencer(gsp, vgpu_rpc_payload(rpc),
					    vgpu_rpc_payload_bytes(rpc));
		if (rc)
			rpc_wedge(gsp, rc, "its register program cannot be run");
	} else if (!gsp->ops->on_event(gsp, rpc->function, vgpu_rpc_payload(rpc),
				       vgpu_rpc_payload_bytes(rpc))) {
		pci_dbg(gsp->hw->pdev, "GSP event %#x\n", rpc->function);
	}
}

/* The next message; -EAGAIN: there is none yet. */
static int rpc_receive_message(struct vgpu_gsp *gsp,
			       const struct vgpu_rpc_header **ret_rpc)
{
	int rc, retry;

	rc = rpc_link_receiver(gsp);
	if (rc == -EAGAIN)
		return rc;
	if (rc)
		return rpc_wedge(gsp, rc, "its status queue is not one");
	for (retry = 0;; retry++) {
		rc = vgpu_msgq_receive(&gsp->receiver, gsp->message, ret_rpc);
		if (rc == 0 || rc == -EAGAIN || retry == RETRIES_MAX)
			break;
		if (rc == -ESTALE)
			dev_warn_ratelimited(&gsp->hw->pdev->dev,
					     "GSP: an old message\n");
		usleep_range(POLL_US, 2 * POLL_US);
	}
	if (rc && rc != -EAGAIN)
		return rpc_wedge(gsp, rc, "its message is broken");
	if (rc == 0 && !vgpu_rpc_is_sound(*ret_rpc))
		return rpc_wedge(gsp, -EPROTO, "its message is no RPC");
	return rc;
}

/* One that nobody waits for. */
static void rpc_handle_message(struct vgpu_gsp *gsp,
			       const struct vgpu_rpc_header *rpc)
{
	if (vgpu_rpc_is_event(rpc))
		rpc_handle_event(gsp, rpc);
	else
		dev_warn_ratelimited(&gsp->hw->pdev->dev,
				     "GSP: reply %u, not asked for\n",
				     rpc->function);
}

/*
 * The next message; -EAGAIN: there is none yet, look again. *@is_halted is of
 * the last time that it was looked, false at first.
 */
static int rpc_look_for_message(struct vgpu_gsp *gsp, unsigned long deadline,
				bool *is_halted,
				const struct vgpu_rpc_header **ret_rpc)
{
	struct vgpu_hw *hw = gsp->hw;
	int rc;

	if (gsp->is_wedged)
		return -EIO;
	rc = rpc_receive_message(gsp, ret_rpc);
	if (rc != -EAGAIN)
		return rc;
	/* It may have said something last, after we looked. */
	if (*is_halted)
		return rpc_wedge(gsp, -EIO, "its firmware crashed");
	*is_halted = vgpu_falcon_is_riscv_halted(&hw->gsp_falcon);
	if (vgpu_hw_read(hw, VGPU_BOOT_0) == U32_MAX)
		return rpc_wedge(gsp, -EIO, "the GPU does not answer");
	if (time_after(jiffies, deadline))
		return rpc_wedge(gsp, -ETIMEDOUT, "it does not answer");
	return -EAGAIN;
}

/* A call on its way, in the list of its GSP, until its caller takes it out. */
struct rpc_call {
	struct list_head link;
	struct vgpu_rpc_reply reply;
	bool is_done;
	int rc; /* once it is done */
};

/* -ENOENT: it is not the reply of this call; 0: it is, or a part of it. */
static int rpc_add_to_call(struct vgpu_gsp *gsp, struct rpc_call *call,
			   const struct vgpu_rpc_header *rpc)
{
	int rc = vgpu_rpc_reply_add(&call->reply, rpc);

	if (rc == -ENOENT)
		return rc;
	if (rc == -EAGAIN)
		return 0;
	call->is_done = true;
	/* It is shorter than was asked for. */
	call->rc = rc == -EMSGSIZE ? -EBADMSG : rc;
	if (rc && rc != -EMSGSIZE)
		rpc_wedge(gsp, rc, "its reply is broken");
	return 0;
}

/*
 * A message, which whoever waits may have received. While a call has a part of
 * its reply, the next record that is no event is the rest of that.
 */
static void rpc_deliver(struct vgpu_gsp *gsp, const struct vgpu_rpc_header *rpc)
{
	struct rpc_call *call;

	list_for_each_entry(call, &gsp->calls, link) {
		if (call->reply.state == VGPU_RPC_REPLY_OPEN &&
		    rpc_add_to_call(gsp, call, rpc) == 0)
			return;
	}
	list_for_each_entry(call, &gsp->calls, link) {
		if (call->reply.state == VGPU_RPC_REPLY_WAITING &&
		    rpc_add_to_call(gsp, call, rpc) == 0)
			return;
	}
	rpc_handle_message(gsp, rpc);
}

/*
 * With the lock, which is given up meanwhile: one whom the firmware keeps
 * waiting keeps nobody else waiting.
 */
static int rpc_wait_reply(struct vgpu_gsp *gsp, struct rpc_call *call)
{
	unsigned long deadline = rpc_deadline_of(REPLY_MS);
	const struct vgpu_rpc_header *rpc;
	bool is_halted = false;
	int rc;

	while (!call->is_done) {
		rc = rpc_look_for_message(gsp, deadline, &is_halted, &rpc);
		if (rc == 0) {
			rpc_deliver(gsp, rpc);
			continue;
		}
		if (rc != -EAGAIN)
			return rc;
		mutex_unlock(&gsp->lock);
		usleep_range(POLL_US, 2 * POLL_US);
		mutex_lock(&gsp->lock);
	}
	return call->rc;
}

static void rpc_trace_end(const struct vgpu_gsp *gsp,
			  const struct vgpu_rpc_reply *reply, ktime_t sent,
			  int rc)
{
	const char *device = pci_name(gsp->hw->pdev);
	s64 us = ktime_us_delta(ktime_get(), sent);

	if (rc == 0)
		trace_vgpu_rpc_answered(device, reply->function,
					reply->sequence, reply->result, us);
	else if (rc == -ETIMEDOUT)
		trace_vgpu_rpc_timed_out(device, reply->function,
					 reply->sequence, 0, us);
}

/* A @sequence of 0: what has no reply has no number. */
static int rpc_send(struct vgpu_gsp *gsp, u32 function, u32 sequence,
		    const void *payload, u32 bytes)
{
	int rc;

	mutex_lock(&gsp->send_lock);
	mutex_lock(&gsp->lock);
	rc = rpc_send_message(gsp, function, sequence, payload, bytes);
	mutex_unlock(&gsp->lock);
	mutex_unlock(&gsp->send_lock);
	return rc;
}

int vgpu_gsp_post(struct vgpu_gsp *gsp, u32 function, const void *payload,
		  u32 bytes)
{
	return rpc_send(gsp, function, 0, payload, bytes);
}

/* Its reply may come at any time from now on. */
static int rpc_begin_call(struct vgpu_gsp *gsp, struct rpc_call *call,
			  u32 function, void *payload, u32 bytes)
{
	int rc;

	mutex_lock(&gsp->lock);
	rc = vgpu_rpc_reply_init(&call->reply, function, ++gsp->sequence,
				 payload, bytes);
	if (rc == 0)
		list_add_tail(&call->link, &gsp->calls);
	mutex_unlock(&gsp->lock);
	return rc;
}

int vgpu_gsp_call(struct vgpu_gsp *gsp, u32 function, void *payload, u32 bytes)
{
	struct rpc_call call = {};
	ktime_t sent;
	int rc;

	rc = rpc_begin_call(gsp, &call, function, payload, bytes);
	if (rc)
		return rc;
	rc = rpc_send(gsp, function, call.reply.sequence, payload, bytes);
	sent = ktime_get();
	mutex_lock(&gsp->lock);
	if (rc == 0) {
		rc = rpc_wait_reply(gsp, &call);
		rpc_trace_end(gsp, &call.reply, sent, rc);
	}
	list_del(&call.link);
	mutex_unlock(&gsp->lock);
	if (rc == 0 && call.reply.result) {
		dev_err_ratelimited(&gsp->hw->pdev->dev,
				    "GSP: call %u failed: %#x\n", function,
				    call.reply.result);
		rc = -EREMOTEIO;
	}
	return rc;
}

int vgpu_gsp_wait_init_done(struct vgpu_gsp *gsp)
{
	unsigned long deadline = rpc_deadline_of(INIT_DONE_MS);
	const struct vgpu_rpc_header *rpc;
	bool is_halted = false;
	int rc;

	mutex_lock(&gsp->lock);
	for (;;) {
		rc = rpc_look_for_message(gsp, deadline, &is_halted, &rpc);
		if (rc == -EAGAIN) {
			usleep_range(POLL_US, 2 * POLL_US);
			continue;
		}
		if (rc)
			break;
		if (rpc->function == VGPU_RPC_EVENT_GSP_INIT_DONE) {
			if (rpc->result)
				rc = rpc_wedge(gsp, -EREMOTEIO,
					       "it did not come up");
			break;
		}
		rpc_handle_event(gsp, rpc);
	}
	mutex_unlock(&gsp->lock);
	return rc;
}

/* Also after the halt was seen: what came before it is taken first. */
static int rpc_handle_next(struct vgpu_gsp *gsp)
{
	const struct vgpu_rpc_header *rpc;
	bool is_halted;
	int rc;

	if (gsp->is_wedged)
		return -EIO;
	is_halted = vgpu_falcon_is_riscv_halted(&gsp->hw->gsp_falcon);
	rc = rpc_receive_message(gsp, &rpc);
	if (rc == 0)
		rpc_deliver(gsp, rpc);
	if (rc != -EAGAIN)
		return rc;
	if (vgpu_hw_read(gsp->hw, VGPU_BOOT_0) == U32_MAX)
		return rpc_wedge(gsp, -EIO, "the GPU does not answer");
	if (is_halted)
		return rpc_wedge(gsp, -EIO, "its firmware crashed");
	return rc;
}

void vgpu_gsp_take_events(struct vgpu_gsp *gsp)
{
	int rc = 0, i;

	/* A call may come between two of them. */
	for (i = 0; rc == 0 && i < AT_ONCE_MAX; i++) {
		mutex_lock(&gsp->lock);
		rc = rpc_handle_next(gsp);
		mutex_unlock(&gsp->lock);
	}
}
