/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RPCs in records: cutting, putting together, and what does not belong. */
#include "kernel/core/pure/rpc.h"
#include "queue_pair.h"
#include "test.h"

#define FUNCTION   VGPU_RPC_GSP_RM_CONTROL
#define RECORD_MAX (65488 - 32)
#define LONG_BYTES (3 * RECORD_MAX + 1000)

static _Alignas(8) u8 record[VGPU_RPC_BYTES_MAX];
static u8 payload[LONG_BYTES], joined[LONG_BYTES];

static struct vgpu_rpc_header *header_of(void *memory)
{
	return memory;
}

static struct vgpu_rpc_message make_message(u32 bytes)
{
	u64 seed = bytes + 1;

	for (u32 i = 0; i < bytes; i++)
		payload[i] = (u8)next_random(&seed);
	memset(joined, 0, sizeof(joined));
	return (struct vgpu_rpc_message){
		.function = FUNCTION,
		.sequence = 7,
		.gfid = 3,
		.payload_bytes = bytes,
		.payload = payload,
	};
}

/* A record of @message, answered with @result. */
static struct vgpu_rpc_header *answer(const struct vgpu_rpc_message *message,
				      u32 index, u32 result)
{
	vgpu_rpc_write_record(message, index, record);
	header_of(record)->result = result;
	return header_of(record);
}

static void cuts_and_joins(void **state)
{
	static const u32 lengths[] = {1,
				      RECORD_MAX - 1,
				      RECORD_MAX,
				      RECORD_MAX + 1,
				      2 * RECORD_MAX,
				      LONG_BYTES};
	static struct queue_pair pair;
	static _Alignas(8) u8 taken[VGPU_MSGQ_MESSAGE_BYTES];

	assert_int_equal(queue_pair_init(&pair), 0);
	for (u32 i = 0; i < VGPU_COUNT_OF(lengths); i++) {
		struct vgpu_rpc_message message = make_message(lengths[i]);
		u32 records = vgpu_rpc_count_records(lengths[i]);
		const struct vgpu_rpc_header *rpc;
		struct vgpu_rpc_reply reply;

		assert_int_equal(records,
				 (lengths[i] + RECORD_MAX - 1) / RECORD_MAX);
		assert_int_equal(vgpu_rpc_reply_init(&reply, FUNCTION, 7,
						     joined, lengths[i]),
				 0);
		for (u32 n = 0; n < records; n++) {
			rpc = answer(&message, n, 0);
			assert_int_equal(rpc->function, n ? 71 : 76);
			assert_int_equal(rpc->gfid, 3);
			assert_int_equal(vgpu_msgq_send(&pair.gsp_tx, record,
							rpc->length),
					 0);
			assert_int_equal(
				vgpu_msgq_receive(&pair.cpu_rx, taken, &rpc), 0);
			assert_int_equal(vgpu_rpc_reply_add(&reply, rpc),
					 n + 1 < records ? -EAGAIN : 0);
		}
		assert_int_equal(reply.state, VGPU_RPC_REPLY_DONE);
		assert_memory_equal(joined, payload, lengths[i]);
		rpc = answer(&message, 0, 0);
		assert_int_equal(vgpu_rpc_reply_add(&reply, rpc), -EINVAL);
	}
	assert_int_equal(vgpu_rpc_count_records(0), 1);
	assert_int_equal(vgpu_rpc_count_records(U32_MAX),
			 U32_MAX / RECORD_MAX + 1);
}

static void an_empty_reply_is_one(void **state)
{
	struct vgpu_rpc_message message = make_message(0);
	struct vgpu_rpc_reply reply;

	message.payload = NULL;
	vgpu_rpc_reply_init(&reply, FUNCTION, 7, NULL, 0);
	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 0, 0)), 0);
	assert_int_equal(vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined,
					     VGPU_RPC_PAYLOAD_MAX + 1),
			 -EINVAL);
}

static void an_error_ends_a_reply(void **state)
{
	struct vgpu_rpc_message message = make_message(100);
	struct vgpu_rpc_reply reply;

	vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined, LONG_BYTES);
	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 0, 0x56)),
			 0);
	assert_int_equal(reply.result, 0x56);
	assert_int_equal(reply.filled, 100);
}

static void others_change_nothing(void **state)
{
	struct vgpu_rpc_message message = make_message(LONG_BYTES);
	struct vgpu_rpc_reply reply;
	struct vgpu_rpc_header *rpc;

	vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined, LONG_BYTES);
	rpc = answer(&message, 0, 0);
	rpc->sequence = 6; /* a reply that comes late */
	assert_int_equal(vgpu_rpc_reply_add(&reply, rpc), -ENOENT);
	rpc->sequence = 7;
	rpc->function = VGPU_RPC_GSP_RM_ALLOC;
	assert_int_equal(vgpu_rpc_reply_add(&reply, rpc), -ENOENT);
	rpc->function = VGPU_RPC_EVENT_POST_EVENT;
	assert_int_equal(vgpu_rpc_reply_add(&reply, rpc), -ENOENT);
	assert_int_equal(reply.state, VGPU_RPC_REPLY_WAITING);

	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 0, 0)),
			 -EAGAIN);
	rpc = answer(&message, 1, 0);
	rpc->function = VGPU_RPC_EVENT_OS_ERROR_LOG;
	assert_int_equal(vgpu_rpc_reply_add(&reply, rpc), -ENOENT);
	for (u32 i = 1; i < 4; i++)
		assert_int_equal(
			vgpu_rpc_reply_add(&reply, answer(&message, i, 0)),
			i < 3 ? -EAGAIN : 0);
	assert_memory_equal(joined, payload, LONG_BYTES);
}

static void expect_failed(u32 capacity, bool is_open,
			  const struct vgpu_rpc_header *wrong, int rc)
{
	struct vgpu_rpc_header first = {
		.version = VGPU_RPC_VERSION,
		.signature = VGPU_RPC_SIGNATURE,
		.length = sizeof(first),
		.function = FUNCTION,
		.sequence = 7,
	};
	struct vgpu_rpc_reply reply;

	vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined, capacity);
	if (is_open)
		assert_int_equal(vgpu_rpc_reply_add(&reply, &first), -EAGAIN);
	assert_int_equal(vgpu_rpc_reply_add(&reply, wrong), rc);
	assert_int_equal(reply.state, VGPU_RPC_REPLY_FAILED);
	assert_int_equal(vgpu_rpc_reply_add(&reply, &first), -EINVAL);
}

static void what_does_not_belong_fails(void **state)
{
	struct vgpu_rpc_message message = make_message(LONG_BYTES);
	struct vgpu_rpc_header *rpc;

	/* A first record where a continuation should be. */
	expect_failed(LONG_BYTES, true, answer(&message, 0, 0), -EPROTO);
	/* Records that would go on for ever. */
	rpc = answer(&message, 1, 0);
	rpc->length = sizeof(*rpc);
	expect_failed(LONG_BYTES, true, rpc, -EPROTO);
}

/* More than was asked for, in the first record and later. */
static void what_is_longer_is_cut(void **state)
{
	struct vgpu_rpc_message message = make_message(LONG_BYTES);
	struct vgpu_rpc_reply reply, next;

	memset(joined, 0xee, sizeof(joined));
	vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined, RECORD_MAX - 1);
	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 0, 0)), 0);
	assert_memory_equal(joined, payload, RECORD_MAX - 1);
	assert_int_equal(joined[RECORD_MAX - 1], 0xee);

	vgpu_rpc_reply_init(&reply, FUNCTION, 7, joined, RECORD_MAX + 1);
	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 0, 0)),
			 -EAGAIN);
	assert_int_equal(vgpu_rpc_reply_add(&reply, answer(&message, 1, 0)), 0);
	assert_memory_equal(joined, payload, RECORD_MAX + 1);
	assert_int_equal(joined[RECORD_MAX + 1], 0xee);
	/* Whoever waits next finds the rest of it in the queue. */
	vgpu_rpc_reply_init(&next, FUNCTION, 8, joined, LONG_BYTES);
	assert_int_equal(vgpu_rpc_reply_add(&next, answer(&message, 2, 0)),
			 -ENOENT);
	assert_int_equal(next.state, VGPU_RPC_REPLY_WAITING);
}

static void what_is_truncated_fails(void **state)
{
	struct vgpu_rpc_message message = make_message(99);
	struct vgpu_rpc_header *rpc;

	expect_failed(100, false, answer(&message, 0, 0), -EMSGSIZE);
	rpc = answer(&message, 0, 0);
	rpc->version++;
	expect_failed(99, false, rpc, -EPROTO);
	rpc = answer(&message, 0, 0);
	rpc->signature++;
	expect_failed(99, false, rpc, -EPROTO);
	rpc = answer(&message, 0, 0);
	rpc->length = sizeof(*rpc) - 1;
	expect_failed(99, false, rpc, -EPROTO);
	rpc->length = VGPU_RPC_BYTES_MAX + 1;
	expect_failed(99, false, rpc, -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_and_joins),
		cmocka_unit_test(an_empty_reply_is_one),
		cmocka_unit_test(an_error_ends_a_reply),
		cmocka_unit_test(others_change_nothing),
		cmocka_unit_test(what_does_not_belong_fails),
		cmocka_unit_test(what_is_longer_is_cut),
		cmocka_unit_test(what_is_truncated_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
