/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: a stream of packets from each thread of the guest, through
 * shared memory. Small pieces of it lie in the buffer where an entry of the
 * first ring says; large ones go through the buffer as through a ring of its
 * own, as answers do. Only one of the three uses the buffer at a time.
 *
 * Nothing is decoded where the guest could change it: bytes are copied as they
 * come, until a packet is whole.
 */
#include "render/gfxstream/connection.h"

#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "render/gfxstream/abi.h"
#include "render/wire/gfxstream.h"

/* As many as a program has threads that use Vulkan. */
#define CONNECTIONS_MAX 64U
/* The longest packet, and all that are being received together. */
#define PACKET_BYTES_MAX   (64U << 20)
#define RECEIVED_BYTES_MAX (96ULL << 20)
/* What a connection keeps between packets, and grows by. */
#define KEPT_BYTES	(512U << 10)
#define REPLY_BYTES_MAX (64ULL << 20)
/* After this time without commands it sleeps until it is notified. */
#define IDLE_NS (2 * 1000000ULL)
/* How often it looks for the rest of a large piece. */
#define LOOK_NS (1000 * 1000ULL)
/*
 * A command waits so long for the one before it, which another thread of the
 * guest is to send; and an answer so long for its reader.
 */
#define TURN_USEC_MAX (30 * 1000000ULL)
#define READER_NS_MAX (30 * 1000000000ULL)
#define SLICE_NS      (100 * 1000000ULL)

struct vgpu_gfx_connection {
	struct vgpu_stream stream;
	struct vgpu_gfx_connection *next; /* in ctx->gfx.connections */
	struct vgpu_resource *resource;
	struct vgpu_gfx_memory *memory; /* the guest writes there, too */
	pthread_t thread;
	/* Where we are in the rings; the guest's own are not asked. */
	uint32_t entries_at, large_at, answers_at;
	uint8_t *received; /* packets that are not carried out yet */
	size_t received_bytes;
	size_t capacity;
	bool has_begun; /* the word before the first packet has come */
	uint8_t *reply;
	size_t reply_capacity;
	uint32_t seqno;	      /* of the command at hand */
	bool has_turn;	      /* nobody else's comes before it ends */
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t wake;
	atomic_bool is_stopping; /* read without it, too */
	bool is_notified;
};

static struct vgpu_gfx_connection *connection_of(struct vgpu_decoder *d)
{
	return vgpu_container_of(vgpu_stream_of(d), struct vgpu_gfx_connection,
				 stream);
}

static uint32_t load(const uint32_t *from)
{
	return __atomic_load_n(from, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *to, uint32_t value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

__attribute__((noreturn)) static void
fail(const struct vgpu_gfx_connection *connection, const char *why)
{
	vgpu_context_fatal(connection->stream.ctx, VGPU_LOSS_STREAM,
			   "connection %u: %s", connection->resource->id, why);
}

/* -- receiving ----------------------------------------------------------------- */

/* Room for @bytes more of what is received. */
static uint8_t *make_room(struct vgpu_gfx_connection *connection, size_t bytes)
{
	size_t wanted = connection->received_bytes + bytes;
	struct vgpu_context *ctx = connection->stream.ctx;
	uint8_t *grown;

	if (wanted > connection->capacity) {
		size_t capacity = VGPU_MAX(2 * connection->capacity,
					   vgpu_align_up(wanted, KEPT_BYTES));
		size_t more = capacity - connection->capacity;

		if (wanted > PACKET_BYTES_MAX ||
		    atomic_fetch_add(&ctx->copied_bytes, more) + more >
			    RECEIVED_BYTES_MAX)
			fail(connection, "too much is sent at once");
		grown = realloc(connection->received, capacity);
		if (!grown)
			fail(connection, "no memory for what is sent");
		connection->received = grown;
		connection->capacity = capacity;
	}
	return connection->received + connection->received_bytes;
}

/* What one entry of the first ring points to. False if there is none. */
static bool receive_entry(struct vgpu_gfx_connection *connection)
{
	struct vgpu_gfx_ring *ring = &connection->memory->entries;
	uint32_t written = load(&ring->write_at);
	struct vgpu_gfx_entry entry;
	uint32_t at = connection->entries_at % VGPU_GFX_RING_BYTES;

	if ((written - connection->entries_at) % VGPU_GFX_RING_BYTES <
	    sizeof(entry))
		return false;
	/* Our position is a multiple of its size. */
	memcpy(&entry, ring->data + at, sizeof(entry));
	if (entry.offset > VGPU_GFX_BUFFER_BYTES ||
	    entry.bytes > VGPU_GFX_BUFFER_BYTES - entry.offset)
		fail(connection, "an entry beyond the buffer");
	memcpy(make_room(connection, entry.bytes),
	       connection->memory->buffer + entry.offset, entry.bytes);
	connection->received_bytes += entry.bytes;
	connection->entries_at += sizeof(entry);
	store(&ring->read_at, connection->entries_at);
	return true;
}

/* What is in the buffer as a ring. False if there is nothing. */
static bool receive_large(struct vgpu_gfx_connection *connection)
{
	struct vgpu_gfx_ring *ring = &connection->memory->large;
	uint32_t at = connection->large_at % VGPU_GFX_BUFFER_BYTES;
	uint32_t bytes = (load(&ring->write_at) - connection->large_at) %
			 VGPU_GFX_BUFFER_BYTES;
	uint32_t part = VGPU_MIN(bytes, VGPU_GFX_BUFFER_BYTES - at);
	uint8_t *to;

	if (!bytes)
		return false;
	to = make_room(connection, bytes);
	memcpy(to, connection->memory->buffer + at, part);
	memcpy(to + part, connection->memory->buffer, bytes - part);
	connection->received_bytes += bytes;
	connection->large_at += bytes;
	store(&ring->read_at, connection->large_at);
	return true;
}

static bool receive(struct vgpu_gfx_connection *connection)
{
	bool has_any = false;

	while (receive_entry(connection) || receive_large(connection)) {
		has_any = true;
		/* Let what is whole be carried out first. */
		if (connection->received_bytes >= VGPU_GFX_BUFFER_BYTES)
			break;
	}
	return has_any;
}

/* -- the order of commands ------------------------------------------------------- */

/*
 * Wait until all commands with lower numbers are carried out, which other
 * threads of the guest send. False if the connection ends meanwhile.
 */
static bool wait_for_turn(struct vgpu_gfx_connection *connection)
{
	struct vgpu_context *ctx = connection->stream.ctx;
	uint32_t wanted = connection->seqno - 1, seen;
	uint64_t waited = 0;

	pthread_mutex_lock(&ctx->gfx.lock);
	seen = ctx->gfx.seqno;
	while (ctx->gfx.seqno != wanted &&
	       !atomic_load(&connection->is_stopping)) {
		uint64_t since = vgpu_now_ns(), until_ns = since + SLICE_NS;
		const struct timespec until = {until_ns / 1000000000,
					       until_ns % 1000000000};

		if ((int32_t)(wanted - ctx->gfx.seqno) < 0)
			fail(connection, "a sequence number that was used");
		if (waited >= TURN_USEC_MAX * 1000)
			fail(connection,
			     "a sequence number whose predecessor does not come");
		pthread_cond_timedwait(&ctx->gfx.turn, &ctx->gfx.lock, &until);
		/* If it was longer, we were stopped, and so may the guest be. */
		waited += VGPU_MIN(vgpu_now_ns() - since, 2 * SLICE_NS);
		if (ctx->gfx.seqno != seen)
			waited = 0;
		seen = ctx->gfx.seqno;
	}
	connection->has_turn = ctx->gfx.seqno == wanted;
	pthread_mutex_unlock(&ctx->gfx.lock);
	return connection->has_turn;
}

static void end_turn(struct vgpu_gfx_connection *connection)
{
	struct vgpu_context *ctx = connection->stream.ctx;

	if (!connection->has_turn)
		return;
	connection->has_turn = false;
	pthread_mutex_lock(&ctx->gfx.lock);
	ctx->gfx.seqno = connection->seqno;
	if (ctx->gfx.n_connections > 1)
		pthread_cond_broadcast(&ctx->gfx.turn);
	pthread_mutex_unlock(&ctx->gfx.lock);
}

static void overtake(struct vgpu_decoder *d)
{
	end_turn(connection_of(d));
}

/* -- answers ----------------------------------------------------------------------- */

static bool grow_reply(struct vgpu_decoder *d, uint64_t bytes)
{
	struct vgpu_gfx_connection *connection = connection_of(d);
	size_t used = (size_t)(d->reply - connection->reply);
	uint64_t wanted = used + bytes;
	uint8_t *grown;

	if (bytes > REPLY_BYTES_MAX || wanted > REPLY_BYTES_MAX)
		return false;
	wanted = VGPU_MAX(2 * connection->reply_capacity,
			  vgpu_align_up(wanted, KEPT_BYTES / 8));
	grown = realloc(connection->reply, wanted);
	if (!grown)
		return false;
	connection->reply = grown;
	connection->reply_capacity = wanted;
	d->reply = grown + used;
	d->reply_end = grown + wanted;
	return true;
}

/* Write @bytes of an answer, or those that there is room for; returns how many. */
static uint32_t put_answer(struct vgpu_gfx_connection *connection,
			   const uint8_t *data, size_t bytes)
{
	struct vgpu_gfx_ring *ring = &connection->memory->answers;
	uint32_t at = connection->answers_at % VGPU_GFX_BUFFER_BYTES;
	uint32_t room = (load(&ring->read_at) - connection->answers_at - 1) %
			VGPU_GFX_BUFFER_BYTES;
	uint32_t n = VGPU_MIN(bytes, room);
	uint32_t part = VGPU_MIN(n, VGPU_GFX_BUFFER_BYTES - at);

	memcpy(connection->memory->buffer + at, data, part);
	memcpy(connection->memory->buffer, data + part, n - part);
	connection->answers_at += n;
	store(&ring->write_at, connection->answers_at);
	return n;
}

static void send_reply(struct vgpu_gfx_connection *connection)
{
	const uint8_t *at = connection->reply;
	const uint8_t *end = connection->stream.decoder.reply;
	uint64_t since = vgpu_now_ns();
	struct vgpu_idle idle;

	vgpu_idle_init(&idle);
	while (at < end && !atomic_load(&connection->is_stopping)) {
		uint32_t n = put_answer(connection, at, (size_t)(end - at));

		at += n;
		if (n) {
			since = vgpu_now_ns();
			continue;
		}
		vgpu_idle_wait(&idle);
		if (vgpu_now_ns() - since > READER_NS_MAX)
			fail(connection, "nobody reads an answer");
	}
}

/* -- packets ------------------------------------------------------------------------ */

/* @packet: all of its @bytes, which is at least the header. */
static void run_packet(struct vgpu_gfx_connection *connection,
		       const uint8_t *packet, uint32_t bytes)
{
	struct vgpu_decoder *d = &connection->stream.decoder;
	uint32_t number = vgpu_get_u32(packet);
	uint32_t place = vgpu_gfx_find(number);

	d->at = packet + VGPU_GFX_HEADER_BYTES;
	d->end = packet + bytes;
	d->reply = connection->reply;
	d->reply_end = connection->reply + connection->reply_capacity;
	connection->seqno = vgpu_get_u32(vgpu_decoder_take(d, 4));
	if (!d->fatal && !wait_for_turn(connection))
		return;
	vgpu_stream_begin(&connection->stream,
			  VGPU_STEP_COMMAND +
				  VGPU_MIN(place, VGPU_STEP_COMMAND_MAX));
	if (!vgpu_gfx_dispatch(d, number) && d->command == UINT32_MAX)
		vgpu_context_fatal(connection->stream.ctx, VGPU_LOSS_STREAM,
				   "command %u: %s", number, d->fatal);
	vgpu_stream_check(&connection->stream);
	end_turn(connection);
	send_reply(connection);
	connection->stream.n_commands++;
	vgpu_stream_end(&connection->stream);
}

/* Carry out the packets that are whole. */
static void run_packets(struct vgpu_gfx_connection *connection)
{
	size_t at = 0, left = connection->received_bytes;
	uint32_t bytes;

	if (!connection->has_begun && left >= 4) {
		connection->has_begun = true;
		at += 4;
		left -= 4;
	}
	while (connection->has_begun && left >= VGPU_GFX_HEADER_BYTES) {
		bytes = vgpu_get_u32(connection->received + at + 4);
		if (bytes < VGPU_GFX_HEADER_BYTES || bytes > PACKET_BYTES_MAX)
			fail(connection, "a packet of an impossible length");
		if (bytes > left)
			break;
		run_packet(connection, connection->received + at, bytes);
		at += bytes;
		left -= bytes;
	}
	memmove(connection->received, connection->received + at, left);
	connection->received_bytes = left;
}

/* -- the thread ------------------------------------------------------------------------ */

static bool has_input(const struct vgpu_gfx_connection *connection)
{
	return (load(&connection->memory->entries.write_at) -
		connection->entries_at) %
			       VGPU_GFX_RING_BYTES >=
		       sizeof(struct vgpu_gfx_entry) ||
	       (load(&connection->memory->large.write_at) - connection->large_at) %
		       VGPU_GFX_BUFFER_BYTES;
}

/*
 * In the middle of a large piece the guest pings only once, and waits for room:
 * it has to be looked for. (The mode is the guest's word for that: if it is
 * wrong, we look in vain, or the guest waits.)
 */
static bool is_amid(const struct vgpu_gfx_connection *connection)
{
	return connection->received_bytes ||
	       load(&connection->memory->entries.transfer_mode) ==
		       VGPU_GFX_MODE_LARGE;
}

/* Wait to be woken, for a while or for as long as it takes. With the lock. */
static void wait_for_ping(struct vgpu_gfx_connection *connection)
{
	uint64_t until_ns = vgpu_now_ns() + LOOK_NS;
	const struct timespec until = {until_ns / 1000000000,
				       until_ns % 1000000000};

	if (is_amid(connection))
		pthread_cond_timedwait(&connection->wake, &connection->lock,
				       &until);
	else
		pthread_cond_wait(&connection->wake, &connection->lock);
}

/* Sleep until the guest pings or writes, or it is to stop. */
static void sleep_idle(struct vgpu_gfx_connection *connection)
{
	store(&connection->memory->entries.state, VGPU_GFX_STATE_ASLEEP);
	pthread_mutex_lock(&connection->lock);
	/* Look again: a guest that had not seen the state does not ping. */
	while (!connection->is_stopping && !connection->is_notified &&
	       !has_input(connection))
		wait_for_ping(connection);
	connection->is_notified = false;
	pthread_mutex_unlock(&connection->lock);
	store(&connection->memory->entries.state, VGPU_GFX_STATE_WORKING);
}

static void *connection_thread(void *opaque)
{
	struct vgpu_gfx_connection *connection = opaque;
	struct vgpu_idle idle;

	pthread_setname_np(pthread_self(), "vgpu-gfx");
	prctl(PR_SET_TIMERSLACK, 1000UL);
	sleep_idle(connection);
	vgpu_idle_init(&idle);
	for (;;) {
		/* Before the rings: what is written after the stop need not run. */
		bool is_last = atomic_load(&connection->is_stopping);

		if (receive(connection)) {
			vgpu_idle_end(&idle);
			run_packets(connection);
			vgpu_idle_restart(&idle);
		} else if (is_last) {
			return NULL;
		} else if (vgpu_idle_wait(&idle) > IDLE_NS) {
			sleep_idle(connection);
			vgpu_idle_init(&idle);
		}
	}
}

static void free_connection(struct vgpu_gfx_connection *connection)
{
	vgpu_stream_finish(&connection->stream);
	vgpu_resource_put(connection->resource);
	pthread_mutex_destroy(&connection->lock);
	pthread_cond_destroy(&connection->wake);
	atomic_fetch_sub(&connection->stream.ctx->copied_bytes,
			 connection->capacity);
	free(connection->received);
	free(connection->reply);
	free(connection);
}

/* The guest reads these before anything else. */
static void prepare(struct vgpu_gfx_memory *memory)
{
	store(&memory->entries.state, VGPU_GFX_STATE_ASLEEP);
	store(&memory->entries.buffer_bytes, VGPU_GFX_BUFFER_BYTES);
	store(&memory->entries.flush_bytes, VGPU_GFX_FLUSH_BYTES);
	store(&memory->entries.is_in_error, 0);
}

int vgpu_gfx_connection_create(struct vgpu_context *ctx, uint32_t resource_id)
{
	struct vgpu_gfx_connection *connection;
	pthread_condattr_t attr;
	int r;

	if (vgpu_gfx_connection_find(ctx, resource_id))
		return -EEXIST;
	if (ctx->gfx.n_connections >= CONNECTIONS_MAX)
		return -ENOSPC;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connection->resource =
		vgpu_resource_get_range(ctx, /* is_ring= */ false, resource_id,
					0, sizeof(struct vgpu_gfx_memory));
	if (!connection->resource) {
		free(connection);
		return -EINVAL;
	}
	connection->received = malloc(KEPT_BYTES);
	connection->reply = malloc(KEPT_BYTES / 8);
	if (!connection->received || !connection->reply) {
		vgpu_resource_put(connection->resource);
		free(connection->received);
		free(connection->reply);
		free(connection);
		return -ENOMEM;
	}
	connection->capacity = KEPT_BYTES;
	connection->reply_capacity = KEPT_BYTES / 8;
	atomic_fetch_add(&ctx->copied_bytes, KEPT_BYTES);
	pthread_mutex_init(&connection->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&connection->wake, &attr);
	pthread_condattr_destroy(&attr);
	connection->memory = (void *)connection->resource->map;
	vgpu_stream_init(&connection->stream, ctx, NULL);
	connection->stream.command_name = vgpu_gfx_command_name;
	connection->stream.stop = &connection->is_stopping;
	connection->stream.decoder.overtake = overtake;
	connection->stream.decoder.grow_reply = grow_reply;
	prepare(connection->memory);
	r = vgpu_thread_create(&connection->thread, VGPU_STACK_BYTES,
			       connection_thread, connection);
	if (r) {
		free_connection(connection);
		return -r;
	}
	pthread_getcpuclockid(connection->thread, &connection->stream.clock);
	pthread_mutex_lock(&ctx->lock);
	connection->next = ctx->gfx.connections;
	ctx->gfx.connections = connection;
	ctx->gfx.n_connections++;
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

struct vgpu_gfx_connection *vgpu_gfx_connection_find(struct vgpu_context *ctx,
						     uint32_t resource_id)
{
	struct vgpu_gfx_connection *connection = ctx->gfx.connections;

	while (connection && connection->resource->id != resource_id)
		connection = connection->next;
	return connection;
}

void vgpu_gfx_connection_notify(struct vgpu_gfx_connection *connection)
{
	pthread_mutex_lock(&connection->lock);
	connection->is_notified = true;
	pthread_cond_signal(&connection->wake);
	pthread_mutex_unlock(&connection->lock);
}

void vgpu_gfx_resource_gone(struct vgpu_context *ctx, uint32_t id)
{
	struct vgpu_gfx_connection *connection =
		vgpu_gfx_connection_find(ctx, id);
	struct vgpu_gfx_connection **p;

	if (!connection)
		return;
	pthread_mutex_lock(&connection->lock);
	connection->is_stopping = true;
	pthread_cond_signal(&connection->wake);
	pthread_mutex_unlock(&connection->lock);
	pthread_join(connection->thread, NULL);
	pthread_mutex_lock(&ctx->lock);
	for (p = &ctx->gfx.connections; *p != connection; p = &(*p)->next)
		;
	*p = connection->next;
	ctx->gfx.n_connections--;
	ctx->n_ended_commands += connection->stream.n_commands;
	pthread_mutex_unlock(&ctx->lock);
	free_connection(connection);
}

void vgpu_gfx_fail(struct vgpu_context *ctx)
{
	struct vgpu_gfx_connection *connection;

	if (!ctx->is_gfxstream)
		return;
	pthread_mutex_lock(&ctx->lock);
	for (connection = ctx->gfx.connections; connection;
	     connection = connection->next)
		store(&connection->memory->entries.is_in_error, 1);
	pthread_mutex_unlock(&ctx->lock);
}

struct vgpu_stream *vgpu_gfx_next_stream(struct vgpu_context *ctx,
					 struct vgpu_stream *stream)
{
	struct vgpu_gfx_connection *next =
		stream ? vgpu_container_of(stream, struct vgpu_gfx_connection,
					   stream)
				 ->next
		       : ctx->gfx.connections;

	return next ? &next->stream : NULL;
}
