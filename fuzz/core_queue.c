/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the message queues: a GSP that writes what it likes, at any time. */
#include <stdlib.h>

#include "kernel/core/pure/rpc.h"
#include "tests/kernel/queue_pair.h"

/*
 * An input is a program of the firmware's: it sends good messages, breaks
 * bytes of the memory that it shares with the CPU, mends the checksum of an
 * entry so that what is broken gets past it, and lets the CPU look.
 */
#define STEPS_MAX   200
#define REPLY_BYTES 200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct queue_pair pair;
static _Alignas(8) u8 rpc_memory[VGPU_RPC_BYTES_MAX];
static _Alignas(8) u8 taken[VGPU_MSGQ_MESSAGE_BYTES];
static u8 reply_payload[REPLY_BYTES];

struct input {
	const uint8_t *at;
	size_t left;
};

static u32 take(struct input *in, u32 bytes)
{
	u32 value = 0;

	while (bytes-- > 0 && in->left > 0) {
		value = value << 8 | *in->at++;
		in->left--;
	}
	return value;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void send_record(struct input *in)
{
	static const u32 functions[] = {
		VGPU_RPC_GSP_RM_CONTROL,
		VGPU_RPC_CONTINUATION_RECORD,
		VGPU_RPC_EVENT_POST_EVENT,
	};
	struct vgpu_rpc_header header = {
		.version = VGPU_RPC_VERSION,
		.signature = VGPU_RPC_SIGNATURE,
		.function = functions[take(in, 1) % 3],
		.result = take(in, 1) < 250 ? 0 : 1,
	};

	header.length = 32 + take(in, 2) % (VGPU_RPC_BYTES_MAX - 31);
	memcpy(rpc_memory, &header, sizeof(header));
	vgpu_msgq_send(&pair.gsp_tx, rpc_memory, header.length);
}

/* So that the message in entry @index sums up, if it can. */
static void mend(u32 index)
{
	u32 *words = (u32 *)(pair.status + 0x1000 * (1 + index % QUEUE_ENTRIES));
	u32 room = (QUEUE_ENTRIES - index % QUEUE_ENTRIES) * 0x1000;
	u64 bytes = 48 + ((u64)words[14] + 7) / 8 * 8;
	u32 sum = 0;

	if (bytes > room)
		return;
	words[8] = 0;
	for (u32 i = 0; i < bytes / 4; i++)
		sum ^= words[i];
	words[8] = sum;
}

static void look(struct vgpu_rpc_reply *reply)
{
	const struct vgpu_rpc_header *rpc;
	u32 n;

	/* However broken, it ends after as many messages as there is room for. */
	for (n = 0; n <= QUEUE_ENTRIES; n++) {
		int rc = vgpu_msgq_receive(&pair.cpu_rx, taken, &rpc);

		require(pair.cpu_rx.read_index < QUEUE_ENTRIES);
		if (rc == -ESTALE)
			continue;
		if (rc)
			return;
		require((const u8 *)rpc + rpc->length <= taken + sizeof(taken));
		vgpu_rpc_reply_add(reply, rpc);
		require(reply->filled <= reply->capacity);
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct vgpu_rpc_reply reply;
	u32 at;

	require(queue_pair_init(&pair) == 0);
	require(vgpu_rpc_reply_init(&reply, VGPU_RPC_GSP_RM_CONTROL, 0,
				    reply_payload,
				    take(&in, 3) % REPLY_BYTES) == 0);
	for (int i = 0; i < STEPS_MAX && in.left > 0; i++) {
		switch (take(&in, 1) % 6) {
		case 0:
			send_record(&in);
			break;
		case 1: /* a word of an entry's headers */
			at = 0x1000 * (1 + take(&in, 1) % QUEUE_ENTRIES);
			at += take(&in, 1) % 20 * 4;
			vgpu_put_le32(pair.status + at, take(&in, 4));
			break;
		case 2: /* a word of the queue's headers */
			at = take(&in, 1) % 9 * 4;
			vgpu_put_le32(pair.status + at, take(&in, 4));
			break;
		case 3:
			mend(take(&in, 1));
			break;
		case 4:
			look(&reply);
			break;
		default: /* the CPU sends too, and the GSP may not read */
			vgpu_msgq_send(&pair.cpu_tx, rpc_memory,
				       32 + take(&in, 1) * 256);
		}
	}
	look(&reply);
	return 0;
}
