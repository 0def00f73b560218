/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came into a context: written to a file, and carried out again. */
#ifndef VGPU_RENDER_VULKAN_RECORDING_H
#define VGPU_RENDER_VULKAN_RECORDING_H

#include "context.h"

/*
 * A recording is this header and then records: a struct vgpu_record and its
 * bytes, nothing between. They are in the order in which they came; batches of
 * two rings that were carried out side by side follow each other.
 */
#define VGPU_RECORDING_MAGIC   "vgpu-rec"
#define VGPU_RECORDING_VERSION 3U

struct vgpu_recording_header {
	char magic[8];
	uint32_t version;
	uint32_t zero;
};

enum vgpu_record_type {
	/* From the device: struct vgpu_render_message and what follows it. */
	VGPU_RECORD_MESSAGE = 1,
	/* Commands that were copied from a ring, before they are carried out. */
	VGPU_RECORD_BATCH,
	/* Commands that a command or a message of this stream points to. */
	VGPU_RECORD_COPY,
	/* The answer to an ALLOC of this stream, as it came. */
	VGPU_RECORD_ANSWER,
};

struct vgpu_record {
	uint32_t type;
	uint32_t stream; /* 0 is the context's own, n the nth ring made */
	uint32_t n_fds;	 /* that came along; they are not recorded */
	uint32_t bytes;
	uint64_t n_commands; /* that the stream had carried out before */
};

static_assert(sizeof(struct vgpu_recording_header) == 16, "header size");
static_assert(sizeof(struct vgpu_record) == 24, "record size");

/*
 * record.c. The file must not be there yet. Where it cannot be written, a line
 * on stderr says so and the context goes on without: NULL.
 */
struct vgpu_recorder *vgpu_recorder_create(int fd);
/* A new file for it, or -1 and a line on stderr. */
int vgpu_recorder_open(const char *path);
/* These do nothing where nothing is to be recorded. */
void vgpu_record_message(struct vgpu_context *ctx,
			 const struct vgpu_render_message *message,
			 unsigned int n_fds, const void *data, size_t bytes);
void vgpu_record_commands(struct vgpu_stream *stream, enum vgpu_record_type type,
			  const void *commands, size_t bytes);
void vgpu_record_answer(struct vgpu_stream *stream,
			const struct vgpu_render_message *answer, int fd);

/*
 * replay.c: the recording takes the device's place and the rings' threads', so
 * that one thread carries out all commands. NULL, with a line on stderr, for
 * what is no recording. The rest is for a context that has a replay.
 */
struct vgpu_replay *vgpu_replay_create(const char *path);
/* As vgpu_channel_receive(); carries out the batches that come before. */
int vgpu_replay_receive(struct vgpu_context *ctx,
			struct vgpu_render_message *ret_message, void *data,
			size_t data_max, int *ret_fds, unsigned int *ret_n_fds);
/* What the device answered to an ALLOC; see vgpu_channel_ask(). */
void vgpu_replay_ask(struct vgpu_stream *stream,
		     struct vgpu_render_message *message, int *ret_fd);
/* What the stream copied here. */
void vgpu_replay_copy(struct vgpu_stream *stream, void *commands, size_t bytes);
/* Another stream has to go on before this one can: let it. */
void vgpu_replay_wait(struct vgpu_context *ctx);
/* The ring is about to end: carry out what it has left. */
void vgpu_replay_drain(struct vgpu_context *ctx);
/*
 * After a submit, with the submit lock: wait for its end, as the guest, whose
 * waits nobody sees, may have done. False if that takes too long, as it does
 * where the guest is to signal something itself.
 */
bool vgpu_replay_finish_submit(struct vgpu_queue *queue);
/* Say how it went, and exit. @fatal is NULL where it went well. */
__attribute__((noreturn)) void vgpu_replay_end(struct vgpu_context *ctx,
					       const char *fatal);

#endif
