// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two message queues in the driver's memory. The driver writes the command
 * queue and reads the status queue; each side writes only its own page's head.
 * OGK src/common/shared/msgq/inc/msgq/msgq_priv.h, src/nvidia/src/kernel/gpu/gsp/
 * message_queue_cpu.c, src/nvidia/inc/kernel/gpu/gsp/message_queue_priv.h.
 */
#include "model/model.h"
#include "model/rpc.h"

#define PAGE		   4096u
#define RMARGS_BYTES	   72
#define RMARGS_SHARED_PA   0
#define RMARGS_PAGE_COUNT  8
#define RMARGS_CMD_OFFSET  16
#define RMARGS_STAT_OFFSET 24
#define PAGE_COUNT_MAX	   1024

#define TX_VERSION	   0
#define TX_SIZE		   4
#define TX_MSG_SIZE	   8
#define TX_MSG_COUNT	   12
#define TX_WRITE	   16
#define TX_FLAGS	   20
#define TX_RX_OFFSET	   24
#define TX_ENTRY_OFFSET	   28
#define TX_BYTES	   32
#define TX_FLAGS_SWAP_RX   1
#define STATUS_QUEUE_BYTES 0x40000

#define ELEMENT_CHECKSUM     32
#define ELEMENT_SEQUENCE     36
#define ELEMENT_COUNT	     40
#define ELEMENT_HEADER_BYTES 48
#define ELEMENT_COUNT_MAX    16
#define RECORD_MAX	     (ELEMENT_COUNT_MAX * PAGE - ELEMENT_HEADER_BYTES)
/* The longest call there is takes a few records; this is far beyond it. */
#define MESSAGE_MAX (1 * MiB)
/*
 * What waits until the driver has taken what is in the status queue. Events are
 * lost first: guests can cause them, and a driver waits for each answer.
 */
#define WAITING_PAGES_EVENTS 512
#define WAITING_PAGES	     4096
#define LOOK_NS		     (200 * SCALE_US)

struct waiting {
	uint32_t function, result, sequence, bytes;
	uint8_t payload[];
};

/* How much of a queue a record takes. */
static uint32_t pages_of(uint32_t bytes)
{
	return DIV_ROUND_UP(ELEMENT_HEADER_BYTES + RPC_HEADER_BYTES + bytes,
			    PAGE);
}

static bool shared(GpuModel *m, uint32_t offset, void *buf, uint32_t bytes,
		   bool write)
{
	struct msgq *q = &m->msgq;
	uint8_t *p = buf;

	while (bytes) {
		uint32_t part = MIN(bytes, PAGE - offset % PAGE);
		uint64_t pa = q->page[offset / PAGE] + offset % PAGE;

		if (!(write ? model_dma_write(m, pa, p, part)
			    : model_dma_read(m, pa, p, part)))
			return false;
		p += part;
		offset += part;
		bytes -= part;
	}
	return true;
}

static uint32_t shared_get(GpuModel *m, uint32_t offset)
{
	uint32_t value = 0;

	shared(m, offset, &value, sizeof(value), false);
	return le32_to_cpu(value);
}

static void shared_put(GpuModel *m, uint32_t offset, uint32_t value)
{
	value = cpu_to_le32(value);
	shared(m, offset, &value, sizeof(value), true);
}

static const char *check_link(GpuModel *m, const uint8_t *args)
{
	struct msgq *q = &m->msgq;
	uint64_t cmd = ldq_le_p(args + RMARGS_CMD_OFFSET);
	uint64_t stat = ldq_le_p(args + RMARGS_STAT_OFFSET);
	uint8_t tx[TX_BYTES];
	uint32_t i, size;

	q->shared_pa = ldq_le_p(args + RMARGS_SHARED_PA);
	q->page_count = get32(args + RMARGS_PAGE_COUNT);
	if (q->shared_pa % PAGE || !q->page_count ||
	    q->page_count > PAGE_COUNT_MAX)
		return "the shared memory is misaligned, or its page count is wrong";
	q->page = g_new0(uint64_t, q->page_count);
	if (!model_dma_read(m, q->shared_pa, q->page, q->page_count * 8ull))
		return "the page table is not in memory";
	for (i = 0; i < q->page_count; i++) {
		q->page[i] = le64_to_cpu(q->page[i]);
		if (!q->page[i] || q->page[i] % PAGE)
			return "a page of the shared memory is missing";
	}
	if (q->page[0] != q->shared_pa)
		return "the page table does not begin with its own page";
	if (cmd % PAGE || stat % PAGE || cmd < q->page_count * 8ull ||
	    cmd >= (uint64_t)q->page_count * PAGE ||
	    stat >= (uint64_t)q->page_count * PAGE)
		return "a queue is misaligned, in the page table or beyond the memory";
	q->cmd_offset = cmd;
	q->stat_offset = stat;
	if (!shared(m, q->cmd_offset, tx, sizeof(tx), false))
		return "the command queue is not in memory";
	size = get32(tx + TX_SIZE);
	if (get32(tx + TX_VERSION) || get32(tx + TX_MSG_SIZE) != PAGE ||
	    get32(tx + TX_ENTRY_OFFSET) != PAGE ||
	    get32(tx + TX_RX_OFFSET) != TX_BYTES)
		return "the command queue's head is not of this version";
	if (get32(tx + TX_FLAGS) != TX_FLAGS_SWAP_RX)
		return "the command queue is not of the kind that swaps read pointers";
	if (size % PAGE || size < 3 * PAGE ||
	    size > (uint64_t)q->page_count * PAGE - cmd ||
	    get32(tx + TX_MSG_COUNT) != size / PAGE - 1)
		return "the command queue's size is wrong";
	if (stat + STATUS_QUEUE_BYTES > (uint64_t)q->page_count * PAGE ||
	    (stat < cmd + size && cmd < stat + STATUS_QUEUE_BYTES))
		return "there is no room for the status queue";
	q->cmd_count = size / PAGE - 1;
	q->stat_count = STATUS_QUEUE_BYTES / PAGE - 1;
	return NULL;
}

bool model_msgq_link(GpuModel *m, uint64_t rmargs_pa, uint64_t rmargs_bytes)
{
	struct msgq *q = &m->msgq;
	uint8_t args[RMARGS_BYTES], tx[TX_BYTES];
	const char *why = NULL;

	model_msgq_unlink(m);
	if (rmargs_bytes < sizeof(args) ||
	    !model_dma_read(m, rmargs_pa, args, sizeof(args)))
		why = "RMARGS are not in memory";
	if (!why)
		why = check_link(m, args);
	if (why) {
		model_refuse(m, "msgq", "%s", why);
		model_msgq_unlink(m);
		return false;
	}
	stl_le_p(tx + TX_VERSION, 0);
	stl_le_p(tx + TX_SIZE, STATUS_QUEUE_BYTES);
	stl_le_p(tx + TX_MSG_SIZE, PAGE);
	stl_le_p(tx + TX_MSG_COUNT, q->stat_count);
	stl_le_p(tx + TX_WRITE, 0);
	stl_le_p(tx + TX_FLAGS, TX_FLAGS_SWAP_RX);
	stl_le_p(tx + TX_RX_OFFSET, TX_BYTES);
	stl_le_p(tx + TX_ENTRY_OFFSET, PAGE);
	if (!shared(m, q->stat_offset, tx, sizeof(tx), true))
		return false;
	shared_put(m, q->stat_offset + TX_BYTES, 0);
	q->partial = g_byte_array_new();
	q->rmargs_pa = rmargs_pa;
	q->linked = true;
	return true;
}

void model_msgq_unlink(GpuModel *m)
{
	struct msgq *q = &m->msgq;

	g_free(q->page);
	if (q->partial)
		g_byte_array_unref(q->partial);
	g_queue_clear_full(&q->waiting, g_free);
	if (q->look)
		timer_free(q->look);
	memset(q, 0, sizeof(*q));
}

static uint32_t checksum(const uint8_t *record, uint32_t bytes)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < bytes; i += 8)
		sum ^= ldq_le_p(record + i);
	return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}

/* How long a call is in all: its first record says what is to follow. */
static uint32_t whole_length(uint32_t function, const uint8_t *payload,
			     uint32_t bytes)
{
	uint64_t whole = bytes;

	if (function == RPC_GSP_RM_CONTROL && bytes >= RM_CONTROL_HEADER_BYTES)
		whole = (uint64_t)RM_CONTROL_HEADER_BYTES + get32(payload + 16);
	else if (function == RPC_GSP_RM_ALLOC && bytes >= RM_ALLOC_HEADER_BYTES)
		whole = (uint64_t)RM_ALLOC_HEADER_BYTES + get32(payload + 20);
	else if (function == RPC_ALLOC_MEMORY && bytes >= ALLOC_MEMORY_BYTES)
		whole = ALLOC_MEMORY_BYTES +
			get32(payload + ALLOC_MEMORY_PAGES_AT) * 8ull;
	else if (function == RPC_SET_REGISTRY && bytes >= 8)
		whole = get32(payload);
	return MIN(whole, MESSAGE_MAX + 1);
}

/* One record, checked; it is a whole call, or a part of one. */
static void take_record(GpuModel *m, uint8_t *record, uint32_t room)
{
	struct msgq *q = &m->msgq;
	uint8_t *rpc = record + ELEMENT_HEADER_BYTES,
		*payload = rpc + RPC_HEADER_BYTES;
	uint32_t sequence = get32(record + ELEMENT_SEQUENCE);
	uint32_t bytes = get32(rpc + 8), function = get32(rpc + 12);

	if (get32(rpc) != RPC_HEADER_VERSION || get32(rpc + 4) != RPC_SIGNATURE ||
	    bytes < RPC_HEADER_BYTES || bytes > room - ELEMENT_HEADER_BYTES) {
		model_refuse(m, "msgq",
			     "record %u: version %08x, signature %08x, length %u",
			     sequence, get32(rpc), get32(rpc + 4), bytes);
		return;
	}
	/* The sum covers the header and the call, rounded up to 8 bytes. */
	if (checksum(record, ROUND_UP(ELEMENT_HEADER_BYTES + bytes, 8))) {
		model_refuse(m, "msgq", "record %u: its checksum is wrong",
			     sequence);
		return;
	}
	if (sequence != q->cmd_seq) {
		model_refuse(m, "msgq", "record %u where %u was due", sequence,
			     q->cmd_seq);
		return;
	}
	q->cmd_seq++;
	bytes -= RPC_HEADER_BYTES;

	if ((function == RPC_CONTINUATION_RECORD) != (q->partial_total != 0)) {
		model_refuse(m, "msgq", "record %u: function %u, %s", sequence,
			     function,
			     q->partial_total ? "while a call is continued"
					      : "but nothing to continue");
		q->partial_total = 0;
		return;
	}
	if (function != RPC_CONTINUATION_RECORD) {
		uint32_t whole = whole_length(function, payload, bytes);

		if (whole <= bytes) {
			model_rpc(m, function, get32(rpc + 24), payload, bytes);
			return;
		}
		if (whole > MESSAGE_MAX) {
			model_refuse(m, "msgq", "record %u: a call of %u bytes",
				     sequence, whole);
			return;
		}
		g_byte_array_set_size(q->partial, 0);
		g_byte_array_append(q->partial, rpc, RPC_HEADER_BYTES);
		q->partial_total = whole;
	} else if (bytes > q->partial_total + RPC_HEADER_BYTES - q->partial->len) {
		model_refuse(m, "msgq", "record %u: more than the call has",
			     sequence);
		q->partial_total = 0;
		return;
	}
	g_byte_array_append(q->partial, payload, bytes);
	if (q->partial->len == q->partial_total + RPC_HEADER_BYTES) {
		uint32_t whole = q->partial_total;

		q->partial_total = 0;
		model_rpc(m, get32(q->partial->data + 12),
			  get32(q->partial->data + 24),
			  q->partial->data + RPC_HEADER_BYTES, whole);
	}
}

void model_msgq_serve(GpuModel *m)
{
	struct msgq *q = &m->msgq;
	g_autofree uint8_t *record = g_malloc(ELEMENT_COUNT_MAX * PAGE);

	while (q->linked) {
		uint32_t write = shared_get(m, q->cmd_offset + TX_WRITE);
		uint32_t ready, count, i;

		if (write >= q->cmd_count) {
			model_refuse(m, "msgq",
				     "write pointer %u in a queue of %u", write,
				     q->cmd_count);
			return;
		}
		ready = (write + q->cmd_count - q->cmd_read) % q->cmd_count;
		if (!ready)
			return;
		count = shared_get(m, q->cmd_offset + (q->cmd_read + 1) * PAGE +
					      ELEMENT_COUNT);
		if (!count || count > ELEMENT_COUNT_MAX || count > ready) {
			model_refuse(m, "msgq",
				     "a record of %u elements, %u are there",
				     count, ready);
			count = 1;
			memset(record, 0, PAGE);
		} else {
			for (i = 0; i < count; i++)
				shared(m,
				       q->cmd_offset +
					       ((q->cmd_read + i) % q->cmd_count +
						1) * PAGE,
				       record + i * PAGE, PAGE, false);
			take_record(m, record, count * PAGE);
		}
		/* An unload has taken the queues away meanwhile. */
		if (!q->linked)
			return;
		q->cmd_read = (q->cmd_read + count) % q->cmd_count;
		shared_put(m, q->stat_offset + TX_BYTES, q->cmd_read);
	}
}

/* What a reply has too much, where that is asked for. */
#define LONGER_BYTES 64

/* False: the driver has not taken enough of the queue yet. */
static bool send_record(GpuModel *m, uint32_t function, uint32_t result,
			uint32_t sequence, const uint8_t *payload, uint32_t bytes)
{
	struct msgq *q = &m->msgq;
	uint32_t count = pages_of(bytes + LONGER_BYTES), length = bytes, i;
	uint32_t read = shared_get(m, q->cmd_offset + TX_BYTES);
	g_autofree uint8_t *record = NULL;
	uint8_t *rpc;

	if (read >= q->stat_count ||
	    (read + q->stat_count - q->stat_write - 1) % q->stat_count < count)
		return false;
	if (model_fault_strikes(m, FAULT_LONGER, function))
		length += LONGER_BYTES;
	if (model_fault_strikes(m, FAULT_SHORTER, function))
		length /= 2;
	count = pages_of(length);
	record = g_malloc0(count * PAGE);
	rpc = record + ELEMENT_HEADER_BYTES;
	if (model_fault_strikes(m, FAULT_BAD_SEQUENCE, function))
		q->stat_seq += 7;
	stl_le_p(record + ELEMENT_SEQUENCE, q->stat_seq++);
	stl_le_p(record + ELEMENT_COUNT, count);
	stl_le_p(rpc, RPC_HEADER_VERSION);
	stl_le_p(rpc + 4, RPC_SIGNATURE);
	stl_le_p(rpc + 8, RPC_HEADER_BYTES + length);
	stl_le_p(rpc + 12, function);
	stl_le_p(rpc + 16, result);
	stl_le_p(rpc + 20, result);
	stl_le_p(rpc + 24, sequence);
	if (MIN(bytes, length))
		memcpy(rpc + RPC_HEADER_BYTES, payload, MIN(bytes, length));
	if (model_fault_strikes(m, FAULT_TRUNCATED, function))
		stl_le_p(rpc + 8, RPC_HEADER_BYTES / 2);
	if (model_fault_strikes(m, FAULT_OVERLONG, function))
		stl_le_p(rpc + 8, UINT32_MAX);
	stl_le_p(record + ELEMENT_CHECKSUM, checksum(record, count * PAGE));
	if (model_fault_strikes(m, FAULT_BAD_CHECKSUM, function))
		record[ELEMENT_CHECKSUM] ^= 0xff;

	for (i = 0; i < count; i++)
		shared(m,
		       q->stat_offset +
			       ((q->stat_write + i) % q->stat_count + 1) * PAGE,
		       record + i * PAGE, PAGE, true);
	q->stat_write = (q->stat_write + count) % q->stat_count;
	shared_put(m, q->stat_offset + TX_WRITE, q->stat_write);
	return true;
}

static void send_waiting(void *opaque)
{
	GpuModel *m = opaque;
	struct msgq *q = &m->msgq;
	struct waiting *w;
	bool sent = false;

	while ((w = g_queue_peek_head(&q->waiting))) {
		if (!send_record(m, w->function, w->result, w->sequence,
				 w->payload, w->bytes))
			break;
		q->waiting_pages -= pages_of(w->bytes);
		g_free(g_queue_pop_head(&q->waiting));
		sent = true;
	}
	if (sent)
		model_falcon_raise(&m->gsp, FALCON_IRQ_SWGEN0);
	if (!w)
		q->overran = false;
	else
		timer_mod(q->look,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + LOOK_NS);
}

static bool let_wait(GpuModel *m, uint32_t function, uint32_t result,
		     uint32_t sequence, const uint8_t *payload, uint32_t bytes)
{
	struct msgq *q = &m->msgq;
	uint32_t most = function >= RPC_EVENT_FIRST ? WAITING_PAGES_EVENTS
						    : WAITING_PAGES;
	struct waiting *w;

	if (q->waiting_pages + pages_of(bytes) > most) {
		if (!q->overran)
			model_refuse(m, "msgq",
				     "the status queue is full, nobody reads it");
		q->overran = true;
		return false;
	}
	w = g_malloc(sizeof(*w) + bytes);
	*w = (struct waiting){function, result, sequence, bytes};
	if (bytes)
		memcpy(w->payload, payload, bytes);
	q->waiting_pages += pages_of(bytes);
	g_queue_push_tail(&q->waiting, w);
	if (!q->look)
		q->look = timer_new_ns(QEMU_CLOCK_VIRTUAL, send_waiting, m);
	if (!timer_pending(q->look))
		timer_mod(q->look,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + LOOK_NS);
	return true;
}

bool model_msgq_send(GpuModel *m, uint32_t function, uint32_t result,
		     uint32_t sequence, const void *payload, uint32_t bytes)
{
	const uint8_t *p = payload;

	if (!m->msgq.linked)
		return false;
	do {
		uint32_t part = MIN(bytes, RECORD_MAX - RPC_HEADER_BYTES);

		/* What waits comes first. */
		if ((!g_queue_is_empty(&m->msgq.waiting) ||
		     !send_record(m, function, result, sequence, p, part)) &&
		    !let_wait(m, function, result, sequence, p, part))
			return false;
		p += part;
		bytes -= part;
		function = RPC_CONTINUATION_RECORD;
	} while (bytes);
	model_falcon_raise(&m->gsp, FALCON_IRQ_SWGEN0);
	return true;
}
