// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host interface: what fetches a channel's entries and pushbuffers and hands
 * methods to engines. Formats: OGK src/common/sdk/nvidia/inc/class/clc56f.h; the
 * parameters of an allocation: alloc/alloc_channel.h beside it (tag 570.144).
 */
#include "model/host.h"
#include "model/engines.h"
#include "model/rm.h"
#include "model/rpc.h"

#define ALLOC_RING_AT	     8
#define ALLOC_ENTRIES_AT     16
#define ALLOC_FLAGS_AT	     20
#define ALLOC_VASPACE_AT     28
#define ALLOC_ENGINE_AT	     128
#define ALLOC_INSTANCE_AT    144
#define ALLOC_USERD_AT	     168
#define MEMORY_DESC_SPACE_AT 16
#define ADDRESS_SPACE_SYSMEM 1
#define ADDRESS_SPACE_FB     2
#define FLAGS_USERD_INDEX(f) BIT_RANGE(f, 10, 8)
#define FLAGS_USERD_PAGE(f)  BIT_RANGE(f, 20, 12)
#define CHID_PER_USERD_PAGE  8
#define CHID_COUNT	     2048

#define USERD_BYTES  512
#define USERD_GP_GET 0x88
#define USERD_GP_PUT 0x8c

#define ENTRY_ADDR(e)  ((e) & 0xfffffffffcull)
#define ENTRY_WORDS(e) BIT_RANGE((e) >> 32, 30, 10)

#define HEADER_OP(h)	 BIT_RANGE(h, 31, 29)
#define HEADER_COUNT(h)	 BIT_RANGE(h, 28, 16)
#define HEADER_SUBCH(h)	 BIT_RANGE(h, 15, 13)
#define HEADER_METHOD(h) (BIT_RANGE(h, 11, 0) << 2)
enum { OP_OLD, OP_INC, OP_OLD_NON_INC, OP_NON_INC, OP_IMMEDIATE, OP_ONE_INC };

#define METHOD_SET_OBJECT	   0x000
#define METHOD_NON_STALL_INTERRUPT 0x020
#define METHOD_SEM_ADDR_LO	   0x05c
#define METHOD_SEM_EXECUTE	   0x06c
#define METHOD_HOST_END		   0x100

#define SEM_OPERATION(v) BIT_RANGE(v, 2, 0)
enum {
	SEM_ACQUIRE,
	SEM_RELEASE,
	SEM_ACQ_STRICT_GEQ,
	SEM_ACQ_CIRC_GEQ,
	SEM_ACQ_AND,
	SEM_ACQ_NOR
};
#define SEM_PAYLOAD_64BIT     (1u << 24)
#define SEM_RELEASE_TIMESTAMP (1u << 25)

#define RUN_NS	   (10 * SCALE_US)
#define RETRY_NS   (1 * SCALE_MS)
#define WORDS_A_GO 65536 /* then the machine's other work has its turn */

static void run(void *opaque);

static void schedule(GpuModel *m, int64_t ns)
{
	if (!m->host_timer)
		m->host_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, run, m);
	if (!timer_pending(m->host_timer))
		timer_mod(m->host_timer,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns);
}

struct channel *model_channel_create(GpuModel *m, uint32_t client,
				     const uint8_t *params, uint32_t *ret_status)
{
	uint32_t flags = get32(params + ALLOC_FLAGS_AT);
	uint32_t chid = FLAGS_USERD_PAGE(flags) * CHID_PER_USERD_PAGE +
			FLAGS_USERD_INDEX(flags);
	uint32_t space = get32(params + ALLOC_USERD_AT + MEMORY_DESC_SPACE_AT);
	uint64_t userd = ldq_le_p(params + ALLOC_USERD_AT);
	uint64_t instance = ldq_le_p(params + ALLOC_INSTANCE_AT);
	uint32_t type = get32(params + ALLOC_ENGINE_AT);
	int engine = model_engine_of_type(type);
	struct channel *c;
	GList *l;

	*ret_status = NV_ERR_INVALID_ARGUMENT;
	if (engine < 0 || chid >= CHID_COUNT || userd % USERD_BYTES ||
	    !get32(params + ALLOC_ENTRIES_AT))
		return NULL;
	*ret_status = NV_ERR_INVALID_ADDRESS;
	if (instance % 4096 || !model_fb_contains(m, instance, 4096) ||
	    (space != ADDRESS_SPACE_SYSMEM &&
	     !(space == ADDRESS_SPACE_FB &&
	       model_fb_contains(m, userd, USERD_BYTES))))
		return NULL;
	*ret_status = NV_ERR_INSERT_DUPLICATE_NAME;
	for (l = m->channels; l; l = l->next)
		if (((struct channel *)l->data)->chid == chid)
			return NULL;
	c = g_new0(struct channel, 1);
	c->m = m;
	c->client = client;
	c->vaspace = get32(params + ALLOC_VASPACE_AT);
	c->chid = chid;
	c->engine_type = type;
	c->engine = engine;
	c->ring = ldq_le_p(params + ALLOC_RING_AT);
	c->ring_entries = get32(params + ALLOC_ENTRIES_AT);
	c->userd = userd;
	c->userd_in_fb = space == ADDRESS_SPACE_FB;
	m->channels = g_list_prepend(m->channels, c);
	*ret_status = NV_OK;
	return c;
}

void model_channel_destroy(struct channel *c)
{
	if (!c)
		return;
	c->m->channels = g_list_remove(c->m->channels, c);
	g_free(c);
}

uint64_t model_channel_pdb(struct channel *c)
{
	struct rm_object *vaspace = model_rm_object(c->m, c->client, c->vaspace);

	return vaspace ? vaspace->pdb : 0;
}

/* OGK src/nvidia/generated/g_rpc-structures.h, rpc_rc_triggered_v17_02. */
#define RC_TRIGGERED_BYTES 48
#define RC_SCOPE_CHANNEL   1

void model_channel_fault(struct channel *c, uint32_t type, uint64_t addr)
{
	uint8_t event[RC_TRIGGERED_BYTES] = {0};

	c->dead = true;
	model_refuse(c->m, "host",
		     "channel %u is at fault, type %u, address %" PRIx64,
		     c->chid, type, addr);
	stl_le_p(event, c->engine_type);
	stl_le_p(event + 4, c->chid);
	stl_le_p(event + 16, type);
	stl_le_p(event + 20, RC_SCOPE_CHANNEL);
	stq_le_p(event + 28, addr);
	model_msgq_send(c->m, RPC_EVENT_RC_TRIGGERED, 0, 0, event, sizeof(event));
}

/* The ring's pointers lie in memory of the driver's, USERD. */
static uint32_t userd_get(struct channel *c, uint32_t offset)
{
	uint32_t value = 0;

	if (c->userd_in_fb)
		return get32(c->m->fb + c->userd + offset);
	model_dma_read(c->m, c->userd + offset, &value, sizeof(value));
	return le32_to_cpu(value);
}

static void userd_put(struct channel *c, uint32_t offset, uint32_t value)
{
	if (c->userd_in_fb) {
		stl_le_p(c->m->fb + c->userd + offset, value);
		return;
	}
	value = cpu_to_le32(value);
	model_dma_write(c->m, c->userd + offset, &value, sizeof(value));
}

static bool satisfied(uint32_t operation, uint64_t have, uint64_t want)
{
	switch (operation) {
	case SEM_ACQUIRE:
		return have == want;
	case SEM_ACQ_STRICT_GEQ:
		return have >= want;
	case SEM_ACQ_CIRC_GEQ:
		return (int32_t)(have - want) >= 0;
	case SEM_ACQ_AND:
		return have & want;
	case SEM_ACQ_NOR:
		return ~(have | want) & 0xffffffff;
	}
	return false;
}

/* A semaphore; false: the channel waits for it, or is at fault. */
static bool semaphore(struct channel *c, uint32_t execute)
{
	uint64_t va = (uint64_t)(c->sem[1] & 0xff) << 32 | c->sem[0];
	uint64_t want = (uint64_t)c->sem[3] << 32 | c->sem[2], have = 0, bad;
	unsigned int bytes = execute & SEM_PAYLOAD_64BIT ? 8 : 4;
	uint64_t pdb = model_channel_pdb(c);
	uint64_t ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
	uint32_t operation = SEM_OPERATION(execute);

	if (bytes == 4)
		want &= 0xffffffff;
	if (va % bytes || operation > SEM_ACQ_NOR) {
		model_channel_fault(c, RC_TYPE_PBDMA, va);
		return false;
	}
	if (operation == SEM_RELEASE) {
		want = cpu_to_le64(want);
		ns = cpu_to_le64(ns);
		if (model_va_write(c->m, pdb, va, &want, bytes, &bad) &&
		    (!(execute & SEM_RELEASE_TIMESTAMP) ||
		     model_va_write(c->m, pdb, va + 8, &ns, 8, &bad)))
			return true;
	} else if (model_va_read(c->m, pdb, va, &have, bytes, &bad)) {
		return satisfied(operation, le64_to_cpu(have), want);
	}
	model_channel_fault(c, RC_TYPE_MMU_FAULT, bad);
	return false;
}

/* One method; false: it is to be tried again, or the channel is at fault. */
static bool method(struct channel *c, uint32_t subchannel, uint32_t at,
		   uint32_t data)
{
	if (at == METHOD_SET_OBJECT) {
		c->oclass[subchannel] = data & 0xffff;
		return true;
	}
	if (at >= METHOD_SEM_ADDR_LO && at < METHOD_SEM_EXECUTE) {
		c->sem[(at - METHOD_SEM_ADDR_LO) / 4] = data;
		return true;
	}
	if (at == METHOD_SEM_EXECUTE)
		return semaphore(c, data);
	if (at == METHOD_NON_STALL_INTERRUPT) {
		model_intr_trigger(c->m, model_engine_nonstall(c->engine));
		return true;
	}
	/* Caches, flushes and waits: everything is done in order, at once. */
	if (at < METHOD_HOST_END)
		return true;
	if (c->oclass[subchannel] == CLASS_DMA_COPY)
		return model_copy_method(c, at, data);
	/* Other engines take what they are told, and draw nothing. */
	return true;
}

/* One word of the pushbuffer: a header, or what one is for. */
static bool word(struct channel *c, uint32_t value)
{
	if (c->words_left) {
		if (!method(c, c->subchannel, c->method, value))
			return false;
		c->words_left--;
		if (c->increments)
			c->method += 4;
		if (c->increments_once)
			c->increments = false;
		return true;
	}
	c->method = HEADER_METHOD(value);
	c->subchannel = HEADER_SUBCH(value);
	c->increments = c->increments_once = false;
	switch (HEADER_OP(value)) {
	case OP_ONE_INC:
		c->increments_once = true;
		/* fallthrough */
	case OP_INC:
		c->increments = true;
		/* fallthrough */
	case OP_NON_INC:
		c->words_left = HEADER_COUNT(value);
		return true;
	case OP_IMMEDIATE:
		return method(c, c->subchannel, c->method, HEADER_COUNT(value));
	case OP_OLD:
		if (!value) /* the old kind with nothing in it: no operation */
			return true;
	}
	model_channel_fault(c, RC_TYPE_PBDMA, c->segment + c->word * 4ull);
	return false;
}

static bool next_segment(struct channel *c)
{
	uint32_t put = userd_get(c, USERD_GP_PUT);
	uint64_t entry, bad;

	if (put >= c->ring_entries) {
		model_channel_fault(c, RC_TYPE_PBDMA, put);
		return false;
	}
	if (c->get == put)
		return false;
	if (!model_va_read(c->m, model_channel_pdb(c), c->ring + c->get * 8ull,
			   &entry, sizeof(entry), &bad)) {
		model_channel_fault(c, RC_TYPE_MMU_FAULT, bad);
		return false;
	}
	entry = le64_to_cpu(entry);
	c->in_segment = true;
	c->segment = ENTRY_ADDR(entry);
	c->segment_words = ENTRY_WORDS(entry);
	c->word = 0;
	return true;
}

/* Returns whether there is more to do; *budget is how many words it may take. */
static bool run_channel(struct channel *c, uint32_t *budget)
{
	uint64_t pdb = model_channel_pdb(c), bad;

	while (*budget && !c->dead) {
		uint32_t value;

		if (c->word == c->segment_words) {
			if (c->in_segment) {
				c->in_segment = false;
				c->segment_words = c->word = 0;
				(*budget)--;
				c->get = (c->get + 1) % c->ring_entries;
				userd_put(c, USERD_GP_GET, c->get);
			}
			if (!next_segment(c))
				return false;
			continue;
		}
		if (!model_va_read(c->m, pdb, c->segment + c->word * 4ull,
				   &value, sizeof(value), &bad)) {
			model_channel_fault(c, RC_TYPE_MMU_FAULT, bad);
			return false;
		}
		if (!word(c, le32_to_cpu(value)))
			return !c->dead;
		c->word++;
		(*budget)--;
	}
	return !c->dead;
}

static void run(void *opaque)
{
	GpuModel *m = opaque;
	uint32_t budget = WORDS_A_GO;
	bool more = false;
	GList *l;

	for (l = m->channels; l; l = l->next) {
		struct channel *c = l->data;

		if (!c->pending || !c->scheduled || m->channels_stopped)
			continue;
		c->pending = run_channel(c, &budget);
		more |= c->pending;
	}
	if (more)
		schedule(m, budget ? RETRY_NS : RUN_NS);
}

/* After a suspend: what was rung for meanwhile is done now. */
void model_channel_resume(GpuModel *m)
{
	schedule(m, RUN_NS);
}

/* A token: the runlist in 31:16, the channel in 15:0 (nvkm fifo/tu102.c). */
void model_channel_doorbell(GpuModel *m, uint32_t token)
{
	GList *l;

	for (l = m->channels; l; l = l->next) {
		struct channel *c = l->data;

		if (c->chid != (token & 0xffff) ||
		    model_engine_runlist(c->engine) != token >> 16)
			continue;
		if (!c->bound || !c->scheduled) {
			model_refuse(
				m, "host",
				"doorbell of channel %u, which is not scheduled",
				c->chid);
			return;
		}
		c->pending = true;
		schedule(m, RUN_NS);
		return;
	}
	model_refuse(m, "host", "doorbell %08x: there is no such channel", token);
}
