// SPDX-License-Identifier: GPL-2.0-or-later
/* RPCs in records: a long one is cut, and a long reply is put together. */
#include "rpc.h"

#define RECORD_PAYLOAD_MAX                                                     \
	((u32)(VGPU_RPC_BYTES_MAX - sizeof(struct vgpu_rpc_header)))

u32 vgpu_rpc_count_records(u32 payload_bytes)
{
	if (payload_bytes == 0)
		return 1;
	return (payload_bytes - 1) / RECORD_PAYLOAD_MAX + 1;
}

u32 vgpu_rpc_write_record(const struct vgpu_rpc_message *message, u32 index,
			  u8 *buffer)
{
	struct vgpu_rpc_header header = {
		.version = VGPU_RPC_VERSION,
		.signature = VGPU_RPC_SIGNATURE,
		.function = index ? VGPU_RPC_CONTINUATION_RECORD
				  : message->function,
		.result = VGPU_RPC_RESULT_PENDING,
		.result_private = VGPU_RPC_RESULT_PENDING,
		.sequence = message->sequence,
		.gfid = message->gfid,
	};
	u32 at = index * RECORD_PAYLOAD_MAX;
	u32 n = message->payload_bytes - at;

	if (n > RECORD_PAYLOAD_MAX)
		n = RECORD_PAYLOAD_MAX;
	header.length = (u32)sizeof(header) + n;
	memcpy(buffer, &header, sizeof(header));
	if (n > 0)
		memcpy(buffer + sizeof(header), message->payload + at, n);
	return header.length;
}

bool vgpu_rpc_is_sound(const struct vgpu_rpc_header *rpc)
{
	return rpc->version == VGPU_RPC_VERSION &&
	       rpc->signature == VGPU_RPC_SIGNATURE &&
	       rpc->length >= sizeof(*rpc) && rpc->length <= VGPU_RPC_BYTES_MAX;
}

int vgpu_rpc_reply_init(struct vgpu_rpc_reply *reply, u32 function,
			u32 sequence, u8 *payload, u32 capacity)
{
	if (capacity > VGPU_RPC_PAYLOAD_MAX)
		return -EINVAL;
	*reply = (struct vgpu_rpc_reply){
		.state = VGPU_RPC_REPLY_WAITING,
		.function = function,
		.sequence = sequence,
		.payload = payload,
		.capacity = capacity,
	};
	return 0;
}

static int rpc_fail_reply(struct vgpu_rpc_reply *reply, int rc)
{
	reply->state = VGPU_RPC_REPLY_FAILED;
	return rc;
}

static bool rpc_is_first_record(const struct vgpu_rpc_reply *reply,
				const struct vgpu_rpc_header *rpc)
{
	return rpc->function == reply->function &&
	       rpc->sequence == reply->sequence;
}

int vgpu_rpc_reply_add(struct vgpu_rpc_reply *reply,
		       const struct vgpu_rpc_header *rpc)
{
	bool is_continuation = rpc->function == VGPU_RPC_CONTINUATION_RECORD;
	u32 bytes;

	if (reply->state == VGPU_RPC_REPLY_DONE ||
	    reply->state == VGPU_RPC_REPLY_FAILED)
		return -EINVAL;
	if (!vgpu_rpc_is_sound(rpc))
		return rpc_fail_reply(reply, -EPROTO);
	/* Events may come between the records of a reply. */
	if (vgpu_rpc_is_event(rpc))
		return -ENOENT;
	if (reply->state == VGPU_RPC_REPLY_WAITING) {
		/* A continuation is the rest of a longer reply that is done. */
		if (is_continuation || !rpc_is_first_record(reply, rpc))
			return -ENOENT;
		reply->result = rpc->result;
	} else if (!is_continuation) {
		return rpc_fail_reply(reply, -EPROTO);
	}

	bytes = vgpu_rpc_payload_bytes(rpc);
	/* With nothing in them, records would never end. */
	if (is_continuation && bytes == 0)
		return rpc_fail_reply(reply, -EPROTO);
	/* Fields that another version has appended are not asked for. */
	if (bytes > reply->capacity - reply->filled)
		bytes = reply->capacity - reply->filled;
	if (bytes > 0)
		memcpy(reply->payload + reply->filled, vgpu_rpc_payload(rpc),
		       bytes);
	reply->filled += bytes;

	if (reply->filled == reply->capacity || reply->result != 0) {
		reply->state = VGPU_RPC_REPLY_DONE;
		return 0;
	}
	/* One that would have fitted into the first record ends there. */
	if (reply->capacity <= RECORD_PAYLOAD_MAX)
		return rpc_fail_reply(reply, -EMSGSIZE);
	reply->state = VGPU_RPC_REPLY_OPEN;
	return -EAGAIN;
}
