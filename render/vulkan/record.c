/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes down all that comes into a context, to be carried out again later. */
#include "recording.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* A guest decides how much it sends, and shall not fill the host's disk. */
#define RECORDING_BYTES_MAX (4ULL * 1024 * 1024 * 1024)

struct vgpu_recorder {
	int fd;
	pthread_mutex_t lock; /* one record at a time; protects what follows */
	uint64_t bytes;
	bool is_over; /* something could not be written */
};

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "vgpu-render: %s: %s\n", what, why);
}

/* The recording is worth less than the context: that goes on. */
static void write_all(struct vgpu_recorder *recorder, const struct iovec *iov,
		      int n)
{
	size_t bytes = 0;
	ssize_t written;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	pthread_mutex_lock(&recorder->lock);
	if (recorder->is_over) {
		pthread_mutex_unlock(&recorder->lock);
		return;
	}
	recorder->bytes += bytes;
	if (recorder->bytes > RECORDING_BYTES_MAX) {
		recorder->is_over = true;
		complain("recording stops", "it is too long");
		pthread_mutex_unlock(&recorder->lock);
		return;
	}
	do {
		written = writev(recorder->fd, iov, n);
	} while (written < 0 && errno == EINTR);
	if (written != (ssize_t)bytes) {
		recorder->is_over = true;
		complain("recording stops",
			 strerror(written < 0 ? errno : ENOSPC));
	}
	pthread_mutex_unlock(&recorder->lock);
}

int vgpu_recorder_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);

	if (fd < 0)
		complain(path, strerror(errno));
	return fd;
}

struct vgpu_recorder *vgpu_recorder_create(int fd)
{
	const struct vgpu_recording_header header = {
		.magic = VGPU_RECORDING_MAGIC,
		.version = VGPU_RECORDING_VERSION,
	};
	const struct iovec iov = {(void *)&header, sizeof(header)};
	struct vgpu_recorder *recorder =
		fd < 0 ? NULL : calloc(1, sizeof(*recorder));

	if (!recorder) {
		vgpu_close(fd);
		return NULL;
	}
	recorder->fd = fd;
	/* A limit of the file's size ends the recording, not us. */
	signal(SIGXFSZ, SIG_IGN);
	pthread_mutex_init(&recorder->lock, NULL);
	write_all(recorder, &iov, 1);
	return recorder;
}

void vgpu_record_message(struct vgpu_context *ctx,
			 const struct vgpu_render_message *message,
			 unsigned int n_fds, const void *data, size_t bytes)
{
	const struct vgpu_record record = {
		.type = VGPU_RECORD_MESSAGE,
		.n_fds = n_fds,
		.bytes = (uint32_t)(sizeof(*message) + bytes),
		.n_commands = ctx->stream.n_commands,
	};
	const struct iovec iov[] = {
		{(void *)&record, sizeof(record)},
		{(void *)message, sizeof(*message)},
		{(void *)data, bytes},
	};

	if (ctx->recorder)
		write_all(ctx->recorder, iov, bytes ? 3 : 2);
}

static void record_stream(struct vgpu_stream *stream, enum vgpu_record_type type,
			  unsigned int n_fds, const void *data, size_t bytes)
{
	const struct vgpu_record record = {
		.type = type,
		.stream = stream->number,
		.n_fds = n_fds,
		.bytes = (uint32_t)bytes,
		.n_commands = stream->n_commands,
	};
	const struct iovec iov[] = {
		{(void *)&record, sizeof(record)},
		{(void *)data, bytes},
	};

	write_all(stream->ctx->recorder, iov, VGPU_ARRAY_SIZE(iov));
}

void vgpu_record_commands(struct vgpu_stream *stream, enum vgpu_record_type type,
			  const void *commands, size_t bytes)
{
	if (stream->ctx->recorder)
		record_stream(stream, type, 0, commands, bytes);
}

void vgpu_record_answer(struct vgpu_stream *stream,
			const struct vgpu_render_message *answer, int fd)
{
	if (stream->ctx->recorder)
		record_stream(stream, VGPU_RECORD_ANSWER, fd >= 0, answer,
			      sizeof(*answer));
}
