/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carries out a recording: same commands, same order, on one thread. */
#include "recording.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A submit that is not done by then may wait for a later command. */
#define SUBMIT_NS_MAX (10 * 1000000000ULL)
#define ENTRIES_FIRST 1024

/*
 * Every file is hostile. All of its records are looked at before anything is
 * carried out; their bytes are read when their turn comes, to where there is
 * room for so many.
 */
struct entry {
	struct vgpu_record record;
	uint64_t offset; /* of its bytes */
};

struct vgpu_replay {
	int fd;
	struct entry *entry;
	size_t n;
	size_t n_max;
	size_t at;	/* whose turn is next */
	bool is_cut;	/* after the last whole record */
	bool is_misfit; /* entry[at] is not what has to come */
};

static bool read_at(int fd, void *data, size_t bytes, uint64_t offset)
{
	uint8_t *to = data;

	while (bytes) {
		ssize_t n = pread(fd, to, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		offset += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool add_entry(struct vgpu_replay *replay, const struct entry *entry)
{
	if (replay->n == replay->n_max) {
		size_t n = replay->n_max ? 2 * replay->n_max : ENTRIES_FIRST;
		struct entry *more =
			reallocarray(replay->entry, n, sizeof(*more));

		if (!more)
			return false;
		replay->entry = more;
		replay->n_max = n;
	}
	replay->entry[replay->n++] = *entry;
	return true;
}

/* NULL, or why it is no recording. */
static const char *find_entries(struct vgpu_replay *replay, uint64_t file_bytes)
{
	struct vgpu_recording_header header;
	struct entry entry = {.offset = sizeof(header)};

	if (!read_at(replay->fd, &header, sizeof(header), 0) ||
	    memcmp(header.magic, VGPU_RECORDING_MAGIC, sizeof(header.magic)) != 0)
		return "this is no recording";
	if (header.version != VGPU_RECORDING_VERSION || header.zero)
		return "recorded by another version of vgpu-render";
	while (entry.offset < file_bytes) {
		uint64_t left = file_bytes - entry.offset;

		if (left < sizeof(entry.record) ||
		    !read_at(replay->fd, &entry.record, sizeof(entry.record),
			     entry.offset) ||
		    left - sizeof(entry.record) < entry.record.bytes) {
			replay->is_cut = true;
			return NULL;
		}
		entry.offset += sizeof(entry.record);
		if (!add_entry(replay, &entry))
			return "no memory for its records";
		entry.offset += entry.record.bytes;
	}
	return NULL;
}

struct vgpu_replay *vgpu_replay_create(const char *path)
{
	struct vgpu_replay *replay = calloc(1, sizeof(*replay));
	const char *why = NULL;
	struct stat status;

	if (!replay)
		return NULL;
	replay->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (replay->fd < 0 || fstat(replay->fd, &status) < 0)
		why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		why = "this is no regular file";
	else
		why = find_entries(replay, (uint64_t)status.st_size);
	if (!why)
		return replay;
	fprintf(stderr, "vgpu-render: %s: %s\n", path, why);
	vgpu_close(replay->fd);
	free(replay->entry);
	free(replay);
	return NULL;
}

static uint64_t count_commands(struct vgpu_context *ctx)
{
	const struct vgpu_ring *ring;
	uint64_t n;

	pthread_mutex_lock(&ctx->lock);
	n = ctx->n_ended_commands + ctx->stream.n_commands;
	for (ring = ctx->rings; ring; ring = ring->next)
		n += ring->stream.n_commands;
	pthread_mutex_unlock(&ctx->lock);
	return n;
}

void vgpu_replay_end(struct vgpu_context *ctx, const char *fatal)
{
	const struct vgpu_replay *replay = ctx->replay;
	int status = EXIT_FAILURE;

	flockfile(stdout); /* a queue's thread may have something to say too */
	printf("%" PRIu64 " commands carried out, ", count_commands(ctx));
	if (fatal) {
		printf("fatal: %s\n", fatal);
	} else if (replay->is_misfit) {
		printf("record %zu is not what has to come there\n", replay->at);
	} else if (replay->at < replay->n) {
		printf("the recording lacks what belongs before record %zu\n",
		       replay->at);
	} else if (replay->is_cut) {
		printf("the recording is cut off in record %zu\n", replay->n);
	} else {
		puts("clean end");
		status = EXIT_SUCCESS;
	}
	fflush(stdout);
	_exit(status);
}

__attribute__((noreturn)) static void misfit(struct vgpu_context *ctx, size_t i)
{
	ctx->replay->at = i;
	ctx->replay->is_misfit = true;
	vgpu_replay_end(ctx, NULL);
}

/*
 * The next record of the stream, which must be of this type. If there is none,
 * the process that recorded was killed here.
 */
static const struct entry *take(struct vgpu_context *ctx,
				struct vgpu_stream *stream,
				enum vgpu_record_type type, size_t bytes_min,
				size_t bytes_max)
{
	struct vgpu_replay *replay = ctx->replay;
	const uint32_t n_fds_max = type == VGPU_RECORD_MESSAGE
					   ? VGPU_RENDER_FDS_MAX
					   : type == VGPU_RECORD_ANSWER;
	const struct entry *entry;
	size_t i = stream->replayed;

	while (i < replay->n && replay->entry[i].record.stream != stream->number)
		i++;
	if (i == replay->n)
		vgpu_replay_end(ctx, NULL);
	entry = &replay->entry[i];
	if (entry->record.type != (uint32_t)type ||
	    entry->record.bytes < bytes_min ||
	    entry->record.bytes > bytes_max || entry->record.n_fds > n_fds_max ||
	    entry->record.n_commands != stream->n_commands)
		misfit(ctx, i);
	stream->replayed = i + 1;
	return entry;
}

static void read_entry(struct vgpu_context *ctx, const struct entry *entry,
		       size_t from, void *data, size_t bytes)
{
	if (!read_at(ctx->replay->fd, data, bytes, entry->offset + from))
		misfit(ctx, (size_t)(entry - ctx->replay->entry));
}

/* The message or batch whose turn it is, or NULL at the end. */
static const struct entry *find_turn(struct vgpu_context *ctx)
{
	struct vgpu_replay *replay = ctx->replay;

	for (; replay->at < replay->n; replay->at++) {
		const struct entry *entry = &replay->entry[replay->at];

		switch (entry->record.type) {
		case VGPU_RECORD_MESSAGE:
		case VGPU_RECORD_BATCH:
			return entry;
		case VGPU_RECORD_COPY:
		case VGPU_RECORD_ANSWER:
			break; /* its stream takes it */
		default:
			misfit(ctx, replay->at);
		}
	}
	return NULL;
}

static struct vgpu_ring *find_ring(struct vgpu_context *ctx,
				   const struct entry *entry)
{
	struct vgpu_ring *ring = ctx->rings;

	while (ring && ring->stream.number != entry->record.stream)
		ring = ring->next;
	return ring;
}

static void play_batch(struct vgpu_context *ctx, const struct entry *entry)
{
	struct vgpu_ring *ring = find_ring(ctx, entry);

	/* One that waits does so for something that has to come before. */
	if (!ring || ring->stream.is_busy ||
	    take(ctx, &ring->stream, VGPU_RECORD_BATCH, 0, ring->buffer_bytes) !=
		    entry)
		misfit(ctx, (size_t)(entry - ctx->replay->entry));
	ctx->replay->at++;
	read_entry(ctx, entry, 0, ring->commands, entry->record.bytes);
	ring->stream.is_busy = true;
	vgpu_ring_run(ring, entry->record.bytes);
	ring->stream.is_busy = false;
}

static int make_memory(uint64_t bytes)
{
	vgpu_autoclose int fd = memfd_create("vgpu-replay", MFD_CLOEXEC);

	if (fd < 0 || bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) < 0)
		return -1;
	return vgpu_steal_fd(&fd);
}

static void make_fds(struct vgpu_context *ctx, const struct entry *entry,
		     uint64_t bytes, int *ret_fds)
{
	for (uint32_t i = 0; i < entry->record.n_fds; i++) {
		ret_fds[i] = make_memory(bytes);
		if (ret_fds[i] < 0)
			misfit(ctx, (size_t)(entry - ctx->replay->entry));
	}
}

int vgpu_replay_receive(struct vgpu_context *ctx,
			struct vgpu_render_message *ret_message, void *data,
			size_t data_max, int *ret_fds, unsigned int *ret_n_fds)
{
	struct vgpu_replay *replay = ctx->replay;
	const struct entry *entry;
	size_t bytes;

	ctx->stream.is_busy = false;
	while ((entry = find_turn(ctx)) && entry->record.type == VGPU_RECORD_BATCH)
		play_batch(ctx, entry);
	if (!entry)
		vgpu_replay_end(ctx, NULL);
	if (take(ctx, &ctx->stream, VGPU_RECORD_MESSAGE, sizeof(*ret_message),
		 sizeof(*ret_message) + (data ? data_max : 0)) != entry)
		misfit(ctx, replay->at);
	read_entry(ctx, entry, 0, ret_message, sizeof(*ret_message));
	bytes = entry->record.bytes - sizeof(*ret_message);
	read_entry(ctx, entry, sizeof(*ret_message), data, bytes);
	make_fds(ctx, entry, ret_message->bytes, ret_fds);
	*ret_n_fds = entry->record.n_fds;
	replay->at++;
	ctx->stream.is_busy = true;
	return (int)bytes;
}

void vgpu_replay_ask(struct vgpu_stream *stream,
		     struct vgpu_render_message *message, int *ret_fd)
{
	struct vgpu_context *ctx = stream->ctx;
	uint64_t bytes = message->bytes;
	const struct entry *entry = take(ctx, stream, VGPU_RECORD_ANSWER,
					 sizeof(*message), sizeof(*message));

	read_entry(ctx, entry, 0, message, sizeof(*message));
	if (message->bytes != bytes)
		misfit(ctx, (size_t)(entry - ctx->replay->entry));
	*ret_fd = -1;
	make_fds(ctx, entry, bytes, ret_fd);
}

void vgpu_replay_copy(struct vgpu_stream *stream, void *commands, size_t bytes)
{
	const struct entry *entry =
		take(stream->ctx, stream, VGPU_RECORD_COPY, bytes, bytes);

	read_entry(stream->ctx, entry, 0, commands, bytes);
}

void vgpu_replay_wait(struct vgpu_context *ctx)
{
	const struct entry *entry = find_turn(ctx);

	if (!entry)
		vgpu_replay_end(ctx, NULL);
	if (entry->record.type == VGPU_RECORD_BATCH) {
		play_batch(ctx, entry);
		return;
	}
	if (ctx->stream.is_busy)
		misfit(ctx, ctx->replay->at);
	vgpu_context_step(ctx);
	ctx->stream.is_busy = false;
}

void vgpu_replay_drain(struct vgpu_context *ctx)
{
	const struct entry *entry;

	while ((entry = find_turn(ctx)) &&
	       entry->record.type == VGPU_RECORD_BATCH) {
		const struct vgpu_ring *ring = find_ring(ctx, entry);

		if (ring && ring->stream.is_busy)
			return;
		play_batch(ctx, entry);
	}
}

bool vgpu_replay_finish_submit(struct vgpu_queue *queue)
{
	const struct vgpu_vk *vk = queue->vk;
	VkFenceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
	};
	VkFence fence;
	bool is_done;

	if (vk->CreateFence(queue->device, &info, NULL, &fence) != VK_SUCCESS)
		return false;
	is_done = vk->QueueSubmit(queue->handle, 0, NULL, fence) == VK_SUCCESS &&
		  vk->WaitForFences(queue->device, 1, &fence, VK_TRUE,
				    SUBMIT_NS_MAX) == VK_SUCCESS;
	if (is_done) /* else it may be in use for ever */
		vk->DestroyFence(queue->device, fence, NULL);
	return is_done;
}
