// SPDX-License-Identifier: GPL-2.0-or-later
/* Message queues between the CPU and the GSP: one sender, one receiver each. */
#include "msgq.h"

/* Of @size bytes, 0 where that is no queue. */
static u32 msgq_entries_of(u32 size)
{
	if (!vgpu_is_aligned(size, VGPU_MSGQ_ENTRY_BYTES) ||
	    size < VGPU_MSGQ_HEADER_BYTES + 2 * VGPU_MSGQ_ENTRY_BYTES)
		return 0;
	return (size - VGPU_MSGQ_HEADER_BYTES) / VGPU_MSGQ_ENTRY_BYTES;
}

int vgpu_msgq_sender_init(struct vgpu_msgq_sender *sender, void *queue,
			  u32 size, const void *peer_queue)
{
	struct vgpu_msgq_tx_header *header = queue;
	u32 entry_count = msgq_entries_of(size);

	if (entry_count == 0)
		return -EINVAL;
	*sender = (struct vgpu_msgq_sender){
		.header = header,
		.peer_read_index = (const u32 *)((const u8 *)peer_queue +
						 VGPU_MSGQ_READ_OFFSET),
		.entries = (u8 *)queue + VGPU_MSGQ_HEADER_BYTES,
		.entry_count = entry_count,
	};
	memset(queue, 0, VGPU_MSGQ_HEADER_BYTES);
	WRITE_ONCE(header->version, VGPU_MSGQ_VERSION);
	WRITE_ONCE(header->size, size);
	WRITE_ONCE(header->entry_count, entry_count);
	WRITE_ONCE(header->flags, VGPU_MSGQ_SWAP_RX);
	WRITE_ONCE(header->read_offset, VGPU_MSGQ_READ_OFFSET);
	WRITE_ONCE(header->entry_offset, VGPU_MSGQ_HEADER_BYTES);
	vgpu_dma_wmb();
	/* Without it the header is none yet: so it comes last. */
	WRITE_ONCE(header->entry_bytes, VGPU_MSGQ_ENTRY_BYTES);
	return 0;
}

int vgpu_msgq_receiver_init(struct vgpu_msgq_receiver *receiver,
			    const void *queue, u32 size, void *own_queue)
{
	const struct vgpu_msgq_tx_header *peer = queue;
	u32 entry_count = msgq_entries_of(size);
	u32 *read_index_at = (u32 *)((u8 *)own_queue + VGPU_MSGQ_READ_OFFSET);
	u32 entry_bytes = READ_ONCE(peer->entry_bytes);

	if (entry_count == 0)
		return -EINVAL;
	if (entry_bytes == 0)
		return -EAGAIN;
	vgpu_dma_rmb();
	if (entry_bytes != VGPU_MSGQ_ENTRY_BYTES ||
	    READ_ONCE(peer->version) != VGPU_MSGQ_VERSION ||
	    READ_ONCE(peer->size) != size ||
	    READ_ONCE(peer->entry_count) != entry_count ||
	    READ_ONCE(peer->flags) != VGPU_MSGQ_SWAP_RX ||
	    READ_ONCE(peer->read_offset) != VGPU_MSGQ_READ_OFFSET ||
	    READ_ONCE(peer->entry_offset) != VGPU_MSGQ_HEADER_BYTES)
		return -EPROTO;
	*receiver = (struct vgpu_msgq_receiver){
		.peer_header = peer,
		.read_index_at = read_index_at,
		.entries = (const u8 *)queue + VGPU_MSGQ_HEADER_BYTES,
		.entry_count = entry_count,
	};
	WRITE_ONCE(*read_index_at, 0);
	return 0;
}

/* Of whole words; the length of a message is rounded up to them with zeros. */
static u64 msgq_xor_words(u64 sum, const u8 *data, u32 bytes)
{
	u64 word;
	u32 i;

	for (i = 0; i + sizeof(word) <= bytes; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		sum ^= word;
	}
	if (i < bytes) {
		word = 0;
		memcpy(&word, data + i, bytes - i);
		sum ^= word;
	}
	return sum;
}

static u32 msgq_fold_checksum(u64 sum)
{
	return (u32)(sum >> 32) ^ (u32)sum;
}

static u32 msgq_advance_index(u32 index, u32 by, u32 entry_count)
{
	index += by;
	return index < entry_count ? index : index - entry_count;
}

/* Entry @index of a message is its header, then the RPC, then zeros. */
static void msgq_fill_entry(u8 *entry, u32 index,
			    const struct vgpu_msgq_element *element,
			    const u8 *rpc, u32 bytes)
{
	u32 head = index == 0 ? (u32)sizeof(*element) : 0;
	u32 skipped = index == 0 ? 0 : (u32)sizeof(*element);
	u32 at = index * VGPU_MSGQ_ENTRY_BYTES - skipped;
	u32 room = VGPU_MSGQ_ENTRY_BYTES - head;
	u32 n = bytes - at < room ? bytes - at : room;

	if (index == 0)
		memcpy(entry, element, sizeof(*element));
	memcpy(entry + head, rpc + at, n);
	memset(entry + head + n, 0, room - n);
}

int vgpu_msgq_send(struct vgpu_msgq_sender *sender, const void *rpc, u32 bytes)
{
	struct vgpu_msgq_element element = {.sequence = sender->sequence};
	u32 read_index, used, at, i;

	if (bytes < sizeof(struct vgpu_rpc_header) || bytes > VGPU_RPC_BYTES_MAX)
		return -EMSGSIZE;
	element.entry_count =
		(u32)(sizeof(element) + bytes + VGPU_MSGQ_ENTRY_BYTES - 1) /
		VGPU_MSGQ_ENTRY_BYTES;

	read_index = READ_ONCE(*sender->peer_read_index);
	if (read_index >= sender->entry_count)
		return -EIO;
	used = msgq_advance_index(sender->write_index,
				  sender->entry_count - read_index,
				  sender->entry_count);
	/* A full queue would look like an empty one: one entry is left. */
	if (sender->entry_count - 1 - used < element.entry_count)
		return -EAGAIN;
	/* What the peer has read is not written over before it said so. */
	vgpu_dma_mb();

	element.checksum = msgq_fold_checksum(msgq_xor_words(
		msgq_xor_words(0, (const u8 *)&element, sizeof(element)), rpc,
		bytes));
	at = sender->write_index;
	for (i = 0; i < element.entry_count; i++) {
		msgq_fill_entry(sender->entries +
					(size_t)at * VGPU_MSGQ_ENTRY_BYTES,
				i, &element, rpc, bytes);
		at = msgq_advance_index(at, 1, sender->entry_count);
	}

	vgpu_dma_wmb();
	sender->write_index = at;
	WRITE_ONCE(sender->header->write_index, at);
	sender->sequence++;
	return 0;
}

/* Copy the message at the read index; how many entries it has is in it. */
static int msgq_copy_message(const struct vgpu_msgq_receiver *receiver,
			     u32 available, u8 *buffer, u32 *ret_entry_count)
{
	struct vgpu_msgq_element element;
	u32 at = receiver->read_index, entry_count = 1, i;

	for (i = 0; i < entry_count; i++) {
		memcpy(buffer + (size_t)i * VGPU_MSGQ_ENTRY_BYTES,
		       receiver->entries + (size_t)at * VGPU_MSGQ_ENTRY_BYTES,
		       VGPU_MSGQ_ENTRY_BYTES);
		at = msgq_advance_index(at, 1, receiver->entry_count);
		if (i > 0)
			continue;
		memcpy(&element, buffer, sizeof(element));
		entry_count = element.entry_count;
		if (entry_count == 0 || entry_count > VGPU_MSGQ_ENTRIES_MAX ||
		    entry_count > available)
			return -EBADMSG;
	}
	*ret_entry_count = entry_count;
	return 0;
}

static int msgq_check_message(const struct vgpu_msgq_receiver *receiver,
			      const u8 *buffer, u32 entry_count)
{
	const struct vgpu_msgq_element *element = (const void *)buffer;
	const struct vgpu_rpc_header *rpc = (const void *)(element + 1);
	u32 room = entry_count * VGPU_MSGQ_ENTRY_BYTES - (u32)sizeof(*element);
	u32 bytes;

	if (rpc->length < sizeof(*rpc) || rpc->length > room)
		return -EMSGSIZE;
	/*
	 * The sum is over whole words, as they came: what lies behind the
	 * length in the last one counts. It is inside the room, which is whole
	 * words too.
	 */
	bytes = (u32)sizeof(*element) + ((rpc->length + 7) & ~7u);
	if (msgq_fold_checksum(msgq_xor_words(0, buffer, bytes)) != 0)
		return -EBADMSG;
	if (element->sequence == receiver->sequence)
		return 0;
	/* Sequence numbers wrap. */
	return element->sequence - receiver->sequence < U32_MAX / 2 ? -EPROTO
								    : -ESTALE;
}

int vgpu_msgq_receive(struct vgpu_msgq_receiver *receiver, u8 *buffer,
		      const struct vgpu_rpc_header **ret_rpc)
{
	u32 write_index = READ_ONCE(receiver->peer_header->write_index);
	u32 available, entry_count;
	int rc;

	if (write_index >= receiver->entry_count)
		return -EIO;
	available = msgq_advance_index(
		write_index, receiver->entry_count - receiver->read_index,
		receiver->entry_count);
	if (available == 0)
		return -EAGAIN;
	vgpu_dma_rmb();

	rc = msgq_copy_message(receiver, available, buffer, &entry_count);
	if (rc == 0)
		rc = msgq_check_message(receiver, buffer, entry_count);
	if (rc && rc != -ESTALE)
		return rc;

	/* The entries are the peer's again, after they were copied. */
	receiver->read_index = msgq_advance_index(
		receiver->read_index, entry_count, receiver->entry_count);
	vgpu_dma_mb();
	WRITE_ONCE(*receiver->read_index_at, receiver->read_index);
	if (rc)
		return rc;
	receiver->sequence++;
	*ret_rpc = (const void *)(buffer + sizeof(struct vgpu_msgq_element));
	return 0;
}
