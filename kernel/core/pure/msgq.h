/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message queues between the CPU and the GSP: one sender, one receiver each. */
#ifndef VGPU_KERNEL_CORE_PURE_MSGQ_H
#define VGPU_KERNEL_CORE_PURE_MSGQ_H

#include "kernel/core/abi/queue_abi.h"

/*
 * The other side may write anything into the queue at any time: what is there
 * is copied first, then checked, and of the copy only is more read. Its index
 * is read once for each message.
 */
struct vgpu_msgq_sender {
	struct vgpu_msgq_tx_header *header;
	const u32 *peer_read_index;
	u8 *entries;
	u32 entry_count;
	u32 write_index;
	u32 sequence; /* of the next message */
};

struct vgpu_msgq_receiver {
	const struct vgpu_msgq_tx_header *peer_header;
	u32 *read_index_at;
	const u8 *entries;
	u32 entry_count;
	u32 read_index;
	u32 sequence; /* that the next message has */
};

/*
 * @queue is the memory of the queue that this side sends on, of @size bytes;
 * its peer writes its read index into @peer_queue.
 */
int vgpu_msgq_sender_init(struct vgpu_msgq_sender *sender, void *queue,
			  u32 size, const void *peer_queue);

/*
 * @queue is the memory that the peer sends on, where it has written its header;
 * this side's read index goes into @own_queue. -EAGAIN: there is no header yet;
 * -EPROTO: it is not one for @size bytes.
 */
int vgpu_msgq_receiver_init(struct vgpu_msgq_receiver *receiver,
			    const void *queue, u32 size, void *own_queue);

/*
 * Send one RPC of @bytes. The peer is told by its doorbell, by the caller.
 * -EAGAIN: there is no room yet; -EMSGSIZE: it needs continuation records;
 * -EIO: the peer's index is outside the queue.
 */
int vgpu_msgq_send(struct vgpu_msgq_sender *sender, const void *rpc, u32 bytes);

/*
 * Take the next message into @buffer (VGPU_MSGQ_MESSAGE_BYTES), where its RPC
 * begins at *@ret_rpc; at least a header, and as long as it says.
 * -EAGAIN: there is none.
 * -ESTALE: an old one was dropped; the next one may be there.
 * Of what follows nothing is taken. The caller may look again, for memory that
 * is late, but not for ever:
 * -EBADMSG: the checksum is wrong, or the number of entries;
 * -EMSGSIZE: the length does not fit the entries;
 * -EPROTO: messages are missing before this one;
 * -EIO: the peer's index is outside the queue.
 */
int vgpu_msgq_receive(struct vgpu_msgq_receiver *receiver, u8 *buffer,
		      const struct vgpu_rpc_header **ret_rpc);

#endif
