/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the venus protocol itself: streams, rings, replies, roundtrips.
 */
#include "recording.h"

#include <string.h>

/* The most ranges in one vkExecuteCommandStreamsMESA. */
#define STREAMS_MAX 64
/* The most bytes of such ranges that are copied at a time, over all rings. */
#define COPIED_BYTES_MAX (64ULL * 1024 * 1024)

void vgpu_stream_init(struct vgpu_stream *stream, struct vgpu_context *ctx,
		      struct vgpu_ring *ring)
{
	stream->ctx = ctx;
	stream->ring = ring;
	vgpu_decoder_init(&stream->decoder, ctx->objects, ctx);
	stream->decoder.destroy = vgpu_object_end;
	stream->command_name = vgpu_venus_command_name;
	stream->stop = ring ? &ring->is_stopping : NULL;
}

/* The code of @d's next command. */
static uint32_t get_code(const struct vgpu_decoder *d)
{
	uint32_t command = d->end - d->at < 4 ? 0 : vgpu_get_u32(d->at);

	return VGPU_STEP_COMMAND + VGPU_MIN(command, VGPU_STEP_COMMAND_MAX);
}

void vgpu_stream_step(struct vgpu_stream *stream)
{
	struct vgpu_decoder *d = &stream->decoder;

	vgpu_stream_begin(stream, get_code(d));
	vgpu_venus_dispatch(d);
	vgpu_stream_check(stream);
	stream->n_commands++;
	vgpu_stream_end(stream);
}

void vgpu_stream_check(struct vgpu_stream *stream)
{
	const struct vgpu_decoder *d = &stream->decoder;
	const char *name;

	if (!d->fatal && !d->is_device_lost)
		return;
	name = stream->command_name(d->command);
	if (d->fatal)
		vgpu_context_fatal(stream->ctx, VGPU_LOSS_STREAM, "%s: %s",
				   name ? name : "a command", d->fatal);
	/*
	 * The program may end as soon as it is told, and may never be told: it
	 * need not ask what came of a submit.
	 */
	vgpu_context_fatal(stream->ctx, VGPU_LOSS_DEVICE,
			   "%s: the driver lost the device", name);
}

void vgpu_stream_finish(struct vgpu_stream *stream)
{
	vgpu_decoder_finish(&stream->decoder);
	vgpu_resource_put(stream->reply);
}

void vgpu_handle_SetReplyCommandStreamMESA(
	struct vgpu_decoder *d, struct vgpu_args_SetReplyCommandStreamMESA *args)
{
	const VkCommandStreamDescriptionMESA *to = args->pStream;
	struct vgpu_stream *stream = vgpu_stream_of(d);
	struct vgpu_resource *resource;

	resource = vgpu_resource_get_range(stream->ctx, stream->ring,
					   to->resourceId, to->offset, to->size);
	if (!resource) {
		vgpu_decoder_fail(d, "no such shared memory to reply to");
		return;
	}
	vgpu_resource_put(stream->reply);
	stream->reply = resource;
	stream->reply_begin = resource->map + to->offset;
	d->reply = stream->reply_begin;
	d->reply_end = stream->reply_begin + to->size;
}

static bool seek_reply(struct vgpu_decoder *d, uint64_t position)
{
	uint8_t *begin = vgpu_stream_of(d)->reply_begin;

	if (position > (uint64_t)(d->reply_end - begin)) {
		vgpu_decoder_fail(d, "beyond the end of the reply stream");
		return false;
	}
	if (begin) /* otherwise no reply stream is set */
		d->reply = begin + position;
	return true;
}

void vgpu_handle_SeekReplyCommandStreamMESA(
	struct vgpu_decoder *d, struct vgpu_args_SeekReplyCommandStreamMESA *args)
{
	seek_reply(d, args->position);
}

/* A copy of one range of shared memory, or NULL. */
static uint8_t *copy_range(struct vgpu_decoder *d,
			   const VkCommandStreamDescriptionMESA *range)
{
	struct vgpu_resource *resource;
	uint8_t *copy;

	resource = vgpu_resource_get_range(
		vgpu_context_of(d), vgpu_stream_of(d)->ring, range->resourceId,
		range->offset, range->size);
	if (!resource) {
		vgpu_decoder_fail(d, "no such shared memory to read from");
		return NULL;
	}
	copy = malloc(range->size);
	if (copy)
		memcpy(copy, resource->map + range->offset, range->size);
	vgpu_resource_put(resource);
	if (!copy) {
		vgpu_decoder_fail(d, "out of memory for a command stream");
		return NULL;
	}
	if (vgpu_context_of(d)->replay)
		vgpu_replay_copy(vgpu_stream_of(d), copy, range->size);
	vgpu_record_commands(vgpu_stream_of(d), VGPU_RECORD_COPY, copy,
			     range->size);
	return copy;
}

/* Execute the commands in one range of shared memory, from a copy. */
static void execute(struct vgpu_decoder *d,
		    const VkCommandStreamDescriptionMESA *range)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	vgpu_autofree uint8_t *copy = NULL;

	if (range->size == 0)
		return;
	if (range->size > COPIED_BYTES_MAX ||
	    atomic_fetch_add(&ctx->copied_bytes, range->size) + range->size >
		    COPIED_BYTES_MAX) {
		vgpu_decoder_fail(d, "a command stream is too long");
		return; /* the context ends: nothing to undo */
	}
	copy = copy_range(d, range);
	if (!copy)
		return;
	d->at = copy;
	d->end = copy + range->size;
	while (d->at < d->end && !vgpu_stream_of(d)->is_cut)
		vgpu_stream_step(vgpu_stream_of(d));
	atomic_fetch_sub(&ctx->copied_bytes, range->size);
}

void vgpu_handle_ExecuteCommandStreamsMESA(
	struct vgpu_decoder *d, struct vgpu_args_ExecuteCommandStreamsMESA *args)
{
	VkCommandStreamDescriptionMESA range[STREAMS_MAX];
	size_t position[STREAMS_MAX];
	struct vgpu_stream *stream = vgpu_stream_of(d);
	const uint8_t *at = d->at, *end = d->end;
	bool has_positions = args->pReplyPositions;
	uint32_t i, n = args->streamCount;

	if (stream->is_nested) {
		vgpu_decoder_fail(d, "command streams inside command streams");
		return;
	}
	if (n == 0 || n > STREAMS_MAX) {
		vgpu_decoder_fail(d, "no or too many command streams");
		return;
	}
	/*
	 * Copy the arguments: they are freed by the first command that is
	 * executed.
	 */
	memcpy(range, args->pStreams, n * sizeof(range[0]));
	if (has_positions)
		memcpy(position, args->pReplyPositions, n * sizeof(position[0]));

	stream->is_nested = true;
	for (i = 0; i < n && !d->fatal && !stream->is_cut; i++) {
		if (!has_positions || seek_reply(d, position[i]))
			execute(d, &range[i]);
	}
	stream->is_nested = false;
	if (d->fatal)
		return;
	d->at = at;
	d->end = end;
}

/* Only the context's own stream may create, destroy and notify rings. */
static bool is_own_stream(struct vgpu_decoder *d)
{
	if (!vgpu_stream_of(d)->ring)
		return true;
	vgpu_decoder_fail(d, "not allowed on a ring");
	return false;
}

static struct vgpu_ring *find_ring(struct vgpu_decoder *d, uint64_t id)
{
	struct vgpu_ring *ring;

	if (!is_own_stream(d))
		return NULL;
	ring = vgpu_ring_find(vgpu_context_of(d), id);
	if (!ring)
		vgpu_decoder_fail(d, "no such ring");
	return ring;
}

void vgpu_handle_CreateRingMESA(struct vgpu_decoder *d,
				struct vgpu_args_CreateRingMESA *args)
{
	if (!is_own_stream(d))
		return;
	switch (vgpu_ring_create(vgpu_context_of(d), args->ring,
				 args->pCreateInfo)) {
	case 0:
		break;
	case -EEXIST:
		vgpu_decoder_fail(d, "the ring exists already");
		break;
	case -EINVAL:
		vgpu_decoder_fail(d, "this describes no ring");
		break;
	case -ENOSPC:
		vgpu_decoder_fail(d, "too many rings, or too large ones");
		break;
	default:
		vgpu_decoder_fail(d, "no memory or no thread for a ring");
	}
}

void vgpu_handle_DestroyRingMESA(struct vgpu_decoder *d,
				 struct vgpu_args_DestroyRingMESA *args)
{
	struct vgpu_ring *ring = find_ring(d, args->ring);

	if (ring)
		vgpu_ring_destroy(ring);
}

void vgpu_handle_NotifyRingMESA(struct vgpu_decoder *d,
				struct vgpu_args_NotifyRingMESA *args)
{
	struct vgpu_ring *ring = find_ring(d, args->ring);

	if (ring)
		vgpu_ring_notify(ring);
}

void vgpu_handle_WriteRingExtraMESA(struct vgpu_decoder *d,
				    struct vgpu_args_WriteRingExtraMESA *args)
{
	struct vgpu_ring *ring = find_ring(d, args->ring);

	if (ring && !vgpu_ring_write_extra(ring, args->offset, args->value))
		vgpu_decoder_fail(d, "beyond the extra region of the ring");
}

void vgpu_handle_SubmitVirtqueueSeqnoMESA(
	struct vgpu_decoder *d, struct vgpu_args_SubmitVirtqueueSeqnoMESA *args)
{
	struct vgpu_ring *ring = find_ring(d, args->ring);

	if (ring)
		vgpu_ring_submit_virtqueue_seqno(ring, args->seqno);
}

void vgpu_handle_WaitRingSeqnoMESA(struct vgpu_decoder *d,
				   struct vgpu_args_WaitRingSeqnoMESA *args)
{
	struct vgpu_ring *ring = find_ring(d, args->ring);

	if (ring)
		vgpu_ring_wait(ring, (uint32_t)args->seqno);
}

void vgpu_handle_WaitVirtqueueSeqnoMESA(
	struct vgpu_decoder *d, struct vgpu_args_WaitVirtqueueSeqnoMESA *args)
{
	struct vgpu_ring *ring = vgpu_stream_of(d)->ring;

	if (ring)
		vgpu_ring_wait_virtqueue_seqno(ring, args->seqno);
	else
		vgpu_decoder_fail(d, "allowed on a ring only");
}
