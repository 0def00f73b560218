/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The message queues: good messages both ways, and one thing broken in each. */
#include "kernel/core/pure/msgq.h"
#include "kernel/core/pure/rpc.h"
#include "queue_pair.h"
#include "test.h"

static struct queue_pair pair;
static u8 sent[VGPU_MSGQ_MESSAGE_BYTES];
static _Alignas(8) u8 taken[VGPU_MSGQ_MESSAGE_BYTES];

static struct vgpu_msgq_tx_header *status_header(void)
{
	return (void *)pair.status;
}

static u32 *gsp_read_index(void)
{
	return (void *)(pair.status + VGPU_MSGQ_READ_OFFSET);
}

/* An RPC of @bytes whose contents are known by @tag. */
static u32 make_rpc(u32 bytes, u64 tag)
{
	struct vgpu_rpc_header header = {
		.version = VGPU_RPC_VERSION,
		.signature = VGPU_RPC_SIGNATURE,
		.length = bytes,
		.function = (u32)tag,
	};
	u64 seed = tag + 1;

	for (u32 i = 0; i < bytes; i++)
		sent[i] = (u8)next_random(&seed);
	memcpy(sent, &header, sizeof(header));
	return bytes;
}

static int send_event(u32 bytes, u64 tag)
{
	return vgpu_msgq_send(&pair.gsp_tx, sent, make_rpc(bytes, tag));
}

static int take_event(const struct vgpu_rpc_header **rpc)
{
	return vgpu_msgq_receive(&pair.cpu_rx, taken, rpc);
}

/* The message of @bytes with @tag is the next one. */
static void expect(struct vgpu_msgq_receiver *receiver, u32 bytes, u64 tag)
{
	const struct vgpu_rpc_header *rpc;

	assert_int_equal(vgpu_msgq_receive(receiver, taken, &rpc), 0);
	make_rpc(bytes, tag);
	assert_int_equal(rpc->length, bytes);
	assert_memory_equal(rpc, sent, bytes);
}

static void expect_nothing_but(int rc)
{
	const struct vgpu_rpc_header *rpc;
	u32 read_index = pair.cpu_rx.read_index;
	u32 sequence = pair.cpu_rx.sequence;

	assert_int_equal(take_event(&rpc), rc);
	assert_int_equal(pair.cpu_rx.read_index, read_index);
	assert_int_equal(pair.cpu_rx.sequence, sequence);
}

static int setup(void **state)
{
	return queue_pair_init(&pair);
}

static void lays_the_header_out(void **state)
{
	static const u32 words[] = {0, QUEUE_BYTES, 0x1000, QUEUE_ENTRIES,
				    0, 1,	    0x20,   0x1000};

	assert_memory_equal(pair.command, words, sizeof(words));
	assert_memory_equal(pair.status, words, sizeof(words));
}

static void refuses_a_wrong_header(void **state)
{
	struct vgpu_msgq_receiver receiver;
	u32 *words = (u32 *)pair.status;

	for (u32 i = 0; i < 8; i++) {
		u32 good = words[i];

		if (i == 4) /* the write index is checked with each message */
			continue;
		words[i] ^= 0x10;
		assert_int_equal(vgpu_msgq_receiver_init(&receiver, pair.status,
							 QUEUE_BYTES,
							 pair.command),
				 -EPROTO);
		words[i] = good;
	}
	words[2] = 0;
	assert_int_equal(vgpu_msgq_receiver_init(&receiver, pair.status,
						 QUEUE_BYTES, pair.command),
			 -EAGAIN);
	assert_int_equal(vgpu_msgq_receiver_init(&receiver, pair.status, 0x1000,
						 pair.command),
			 -EINVAL);
	assert_int_equal(vgpu_msgq_sender_init(&pair.cpu_tx, pair.command,
					       QUEUE_BYTES - 1, pair.status),
			 -EINVAL);
}

static void carries_all_lengths_both_ways(void **state)
{
	static const u32 lengths[] = {32,   33,	    40,	    4047,  4048,
				      4049, 8143,   8144,   8145,  60000,
				      4096, 0xf000, 0xffd0, 65487, 65488};

	for (u32 round = 0; round < 40; round++) {
		for (u32 i = 0; i < VGPU_COUNT_OF(lengths); i++) {
			u32 bytes = lengths[i], tag = round * 100 + i;

			assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent,
							make_rpc(bytes, tag)),
					 0);
			expect(&pair.gsp_rx, bytes, tag);
			assert_int_equal(send_event(bytes, tag + 50), 0);
			expect(&pair.cpu_rx, bytes, tag + 50);
		}
	}
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, 65489), -EMSGSIZE);
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, 31), -EMSGSIZE);
	expect_nothing_but(-EAGAIN);
}

static void fills_up_and_drains(void **state)
{
	const struct vgpu_rpc_header *rpc;
	u32 n = 0;

	while (vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(5000, n)) == 0)
		n++;
	assert_int_equal(n, (QUEUE_ENTRIES - 1) / 2);
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(50, n)),
			 -EAGAIN);
	for (u32 i = 0; i < n; i++)
		expect(&pair.gsp_rx, 5000, i);
	assert_int_equal(vgpu_msgq_receive(&pair.gsp_rx, taken, &rpc), -EAGAIN);
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(65488, 9)),
			 0);
	expect(&pair.gsp_rx, 65488, 9);
}

/* As a public driver computes it: the words of whole entries, both halves. */
static void sums_as_the_firmware_does(void **state)
{
	u32 *words = (u32 *)(pair.status + 0x1000), sum = 0;

	assert_int_equal(send_event(5001, 3), 0);
	for (u32 i = 0; i < 2 * 0x1000 / 4; i++)
		sum ^= words[i];
	assert_int_equal(sum, 0);
	assert_int_not_equal(words[8], 0); /* checkSum */
	assert_int_equal(words[9], 0);	   /* seqNum */
	assert_int_equal(words[10], 2);	   /* elemCount */
	assert_int_equal(words[12], 0x03000000);
	assert_int_equal(words[13], 0x43505256);
	assert_int_equal(words[14], 5001);
}

/* Sum the message in the first entry anew, after it was changed. */
static void mend_sum(u32 bytes)
{
	u32 *words = (u32 *)(pair.status + 0x1000), sum = 0;

	words[8] = 0;
	for (u32 i = 0; i < (48 + bytes + 7) / 8 * 2; i++)
		sum ^= words[i];
	words[8] = sum;
}

static void refuses_broken_indices(void **state)
{
	const struct vgpu_rpc_header *rpc;

	assert_int_equal(send_event(100, 1), 0);
	status_header()->write_index = QUEUE_ENTRIES;
	expect_nothing_but(-EIO);
	status_header()->write_index = U32_MAX;
	expect_nothing_but(-EIO);
	status_header()->write_index = 1;
	assert_int_equal(take_event(&rpc), 0);

	*gsp_read_index() = QUEUE_ENTRIES;
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(50, 0)),
			 -EIO);
	*gsp_read_index() = U32_MAX;
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(50, 0)),
			 -EIO);
	*gsp_read_index() = 0;
	assert_int_equal(vgpu_msgq_send(&pair.cpu_tx, sent, make_rpc(50, 0)), 0);
}

static void refuses_each_broken_bit(void **state)
{
	const struct vgpu_rpc_header *rpc;

	assert_int_equal(send_event(5001, 4), 0);
	for (u32 at = 0; at < 48 + 5001; at++) {
		u8 *byte = pair.status + 0x1000 + at;

		*byte ^= 1u << (at % 8);
		assert_int_not_equal(take_event(&rpc), 0);
		assert_int_equal(pair.cpu_rx.read_index, 0);
		*byte ^= 1u << (at % 8);
	}
	expect(&pair.cpu_rx, 5001, 4);
}

/* Fields that are wrong though the sum is right. */
static void refuses_each_broken_field(void **state)
{
	struct vgpu_msgq_element *element = (void *)(pair.status + 0x1000);
	struct vgpu_rpc_header *header = (void *)(element + 1);
	static const u32 counts[] = {0, 3, 17, U32_MAX};
	static const u32 lengths[] = {0,       31,	     8145,
				      0x10000, U32_MAX - 40, U32_MAX};
	const struct vgpu_rpc_header *rpc;

	assert_int_equal(send_event(5000, 5), 0); /* two entries */
	for (u32 i = 0; i < VGPU_COUNT_OF(counts); i++) {
		element->entry_count = counts[i];
		mend_sum(5000);
		expect_nothing_but(-EBADMSG);
	}
	element->entry_count = 1; /* the length says two */
	mend_sum(5000);
	expect_nothing_but(-EMSGSIZE);
	element->entry_count = 2;
	for (u32 i = 0; i < VGPU_COUNT_OF(lengths); i++) {
		header->length = lengths[i];
		mend_sum(5000);
		expect_nothing_but(-EMSGSIZE);
	}
	header->length = 5000;
	element->sequence = 1;
	mend_sum(5000);
	expect_nothing_but(-EPROTO);

	/* An old one is dropped, and the queue goes on. */
	element->sequence = U32_MAX;
	mend_sum(5000);
	assert_int_equal(take_event(&rpc), -ESTALE);
	assert_int_equal(pair.cpu_rx.read_index, 2);
	assert_int_equal(pair.cpu_rx.sequence, 0);
	pair.gsp_tx.sequence = 0;
	assert_int_equal(send_event(64, 6), 0);
	expect(&pair.cpu_rx, 64, 6);
}

static void sequence_wraps(void **state)
{
	pair.gsp_tx.sequence = U32_MAX;
	pair.cpu_rx.sequence = U32_MAX;
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(send_event(64, i), 0);
		expect(&pair.cpu_rx, 64, i);
	}
	assert_int_equal(pair.cpu_rx.sequence, 2);
}

static void random_traffic_arrives_in_order(void **state)
{
	u32 lengths[QUEUE_ENTRIES], n_sent = 0, n_taken = 0;
	u64 seed = 11;

	for (u32 i = 0; i < 20000; i++) {
		u32 bytes = 32 + random_below(&seed, i % 4 ? 3000 : 30000);

		if (random_below(&seed, 2) && n_sent - n_taken < QUEUE_ENTRIES &&
		    send_event(bytes, n_sent) == 0) {
			lengths[n_sent++ % QUEUE_ENTRIES] = bytes;
		} else if (n_taken < n_sent) {
			expect(&pair.cpu_rx, lengths[n_taken % QUEUE_ENTRIES],
			       n_taken);
			n_taken++;
		} else {
			expect_nothing_but(-EAGAIN);
		}
	}
	assert_true(n_taken > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lays_the_header_out, setup),
		cmocka_unit_test_setup(refuses_a_wrong_header, setup),
		cmocka_unit_test_setup(carries_all_lengths_both_ways, setup),
		cmocka_unit_test_setup(fills_up_and_drains, setup),
		cmocka_unit_test_setup(sums_as_the_firmware_does, setup),
		cmocka_unit_test_setup(refuses_broken_indices, setup),
		cmocka_unit_test_setup(refuses_each_broken_bit, setup),
		cmocka_unit_test_setup(refuses_each_broken_field, setup),
		cmocka_unit_test_setup(sequence_wraps, setup),
		cmocka_unit_test_setup(random_traffic_arrives_in_order, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
