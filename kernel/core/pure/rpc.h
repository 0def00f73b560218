/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RPCs in records: a long one is cut, and a long reply is put together. */
#ifndef VGPU_KERNEL_CORE_PURE_RPC_H
#define VGPU_KERNEL_CORE_PURE_RPC_H

#include "kernel/core/abi/queue_abi.h"

/* What the payload of a reply may be at most: the largest control's. */
#define VGPU_RPC_PAYLOAD_MAX 0x400000

struct vgpu_rpc_message {
	u32 function;
	u32 sequence;
	u32 gfid;
	u32 payload_bytes;
	const u8 *payload;
};

/* How many records @payload_bytes take. */
u32 vgpu_rpc_count_records(u32 payload_bytes);

/*
 * Write record @index of @message into @buffer (VGPU_RPC_BYTES_MAX); returns
 * its length. All but the first one are continuation records.
 */
u32 vgpu_rpc_write_record(const struct vgpu_rpc_message *message, u32 index,
			  u8 *buffer);

/* Is it the header of an RPC? A received one has its length checked before. */
bool vgpu_rpc_is_sound(const struct vgpu_rpc_header *rpc);

static inline bool vgpu_rpc_is_event(const struct vgpu_rpc_header *rpc)
{
	return rpc->function >= VGPU_RPC_EVENT_FIRST;
}

static inline u32 vgpu_rpc_payload_bytes(const struct vgpu_rpc_header *rpc)
{
	return rpc->length - (u32)sizeof(*rpc);
}

static inline const u8 *vgpu_rpc_payload(const struct vgpu_rpc_header *rpc)
{
	return (const u8 *)(rpc + 1);
}

/*
 *            first record, with all         every later one of them is
 *            of the payload or an error     a continuation record
 *     WAITING -------------------> DONE <-------------------- OPEN
 *        |                                                     ^
 *        +------------ first record, with less ----------------+
 *
 * A record that does not belong there fails the reply: FAILED, for good.
 */
enum vgpu_rpc_reply_state {
	VGPU_RPC_REPLY_WAITING,
	VGPU_RPC_REPLY_OPEN,
	VGPU_RPC_REPLY_DONE,
	VGPU_RPC_REPLY_FAILED,
};

struct vgpu_rpc_reply {
	enum vgpu_rpc_reply_state state;
	u32 function;
	u32 sequence;
	u32 result; /* of the firmware, where DONE */
	u8 *payload;
	u32 capacity;
	u32 filled;
};

/*
 * Wait for the reply to @function, numbered @sequence, whose payload has
 * @capacity bytes where it succeeds, the request's length; they are put into
 * @payload. What a longer reply has beyond them is dropped.
 */
int vgpu_rpc_reply_init(struct vgpu_rpc_reply *reply, u32 function,
			u32 sequence, u8 *payload, u32 capacity);

/*
 * Add a record that the receiver took. 0: it is done; -EAGAIN: more is to
 * come; -ENOENT: the record is an event or another's reply, or the rest of one,
 * nothing changed; -EMSGSIZE: the reply is too short; -EPROTO: the record does
 * not belong there, so whose the next ones are is not known.
 */
int vgpu_rpc_reply_add(struct vgpu_rpc_reply *reply,
		       const struct vgpu_rpc_header *rpc);

#endif
