/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One guest context: it does what the device sends, in order. */
#include "recording.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/gpu_time.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"

/* Commands sent in a memfd, those that a packet has no room for. */
#define SUBMIT_BYTES_MAX (16ULL * 1024 * 1024)

uint64_t vgpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void vgpu_context_fatal(struct vgpu_context *ctx, enum vgpu_loss loss,
			const char *fmt, ...)
{
	static atomic_flag is_said = ATOMIC_FLAG_INIT;
	struct vgpu_render_message message = {.type = VGPU_RENDER_FATAL,
					      .n = loss};
	char text[VGPU_RENDER_TEXT_MAX];
	va_list args;

	if (atomic_flag_test_and_set(&is_said))
		for (;;) /* the first one ends the process */
			pause();
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (ctx->replay)
		vgpu_replay_end(ctx, text);
	message.bytes = strlen(text);
	/* The program ends when it sees the status: the device is told before. */
	vgpu_channel_send(ctx, &message, text, message.bytes);
	vgpu_rings_set_status(ctx, VGPU_RENDER_RING_STATUS_FATAL, false);
	vgpu_gfx_fail(ctx);
	_exit(1);
}

static void run_commands(struct vgpu_context *ctx, const void *commands,
			 size_t bytes)
{
	struct vgpu_decoder *d = &ctx->stream.decoder;

	if (ctx->is_gfxstream) {
		vgpu_gfx_submit(ctx, commands, bytes);
		return;
	}
	d->at = commands;
	d->end = d->at + bytes;
	while (d->at < d->end)
		vgpu_stream_step(&ctx->stream);
}

static void on_submit(struct vgpu_context *ctx,
		      const struct vgpu_render_message *message,
		      const void *data, size_t bytes, int fd)
{
	vgpu_autofree uint8_t *copy = NULL;

	if (fd < 0) {
		if (message->bytes > bytes)
			vgpu_context_fatal(ctx, VGPU_LOSS_STREAM,
					   "a submit is cut short");
		run_commands(ctx, data, message->bytes);
		return;
	}
	if (message->bytes > SUBMIT_BYTES_MAX)
		vgpu_context_fatal(ctx, VGPU_LOSS_STREAM, "a submit is too long");
	copy = malloc(message->bytes ? message->bytes : 1);
	if (!copy || pread(fd, copy, message->bytes, 0) != (ssize_t)message->bytes)
		vgpu_context_fatal(ctx, VGPU_LOSS_STREAM,
				   "a submit cannot be read");
	vgpu_channel_send(ctx,
			  &(struct vgpu_render_message){
				  .type = VGPU_RENDER_TAKEN,
				  .id = message->seq,
			  },
			  NULL, 0);
	if (ctx->replay)
		vgpu_replay_copy(&ctx->stream, copy, message->bytes);
	vgpu_record_commands(&ctx->stream, VGPU_RECORD_COPY, copy,
			     message->bytes);
	run_commands(ctx, copy, message->bytes);
}

static void on_export(struct vgpu_context *ctx,
		      const struct vgpu_render_message *message)
{
	struct vgpu_render_message answer = {
		.type = VGPU_RENDER_EXPORTED,
		.resource_id = message->resource_id,
		.id = message->id,
	};

	if (!vgpu_memory_export(ctx, message->id, message->bytes,
				&answer.offset, &answer.bytes))
		answer.status = EINVAL;
	vgpu_channel_send(ctx, &answer, NULL, 0);
}

static void on_fence(struct vgpu_context *ctx,
		     const struct vgpu_render_message *message)
{
	struct vgpu_render_message answer = {
		.type = VGPU_RENDER_FENCE_DONE,
		.ring_idx = message->ring_idx,
		.id = message->id,
	};
	struct vgpu_queue *queue, **place;

	if (message->ring_idx >= VGPU_RENDER_TIMELINES)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "a fence on no timeline");
	place = &ctx->timeline[message->ring_idx];
	pthread_mutex_lock(&ctx->lock);
	while ((queue = *place)) {
		pthread_mutex_unlock(&ctx->lock);
		if (vgpu_queue_fence(queue, message->ring_idx, message->id))
			return;
		/* It is dying. What it owes comes before what we say. */
		pthread_mutex_lock(&ctx->lock);
		if (*place == queue)
			pthread_cond_wait(&ctx->timeline_left, &ctx->lock);
	}
	pthread_mutex_unlock(&ctx->lock);
	/* The CPU's timeline, or that of a queue which has gone. */
	vgpu_channel_send(ctx, &answer, NULL, 0);
}

static void on_resume(struct vgpu_context *ctx,
		      const struct vgpu_render_message *message)
{
	const struct vgpu_render_message answer = {
		.type = VGPU_RENDER_RESUMED,
		.id = message->seq,
		.offset = ctx->channel.seq_before,
	};

	vgpu_channel_send(ctx, &answer, NULL, 0);
}

static void on_resource_add(struct vgpu_context *ctx,
			    const struct vgpu_render_message *message, int fd)
{
	int r = vgpu_resource_add(ctx, message, fd);

	if (r < 0)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER, "resource %u: %s",
				   message->resource_id, strerror(-r));
}

static void handle(struct vgpu_context *ctx,
		   const struct vgpu_render_message *message, const void *data,
		   size_t bytes, int fd)
{
	switch (message->type) {
	case VGPU_RENDER_SUBMIT:
		on_submit(ctx, message, data, bytes, fd);
		if (message->flags & VGPU_RENDER_FLAG_FENCE)
			on_fence(ctx, message);
		break;
	case VGPU_RENDER_RESOURCE_ADD:
		on_resource_add(ctx, message, fd);
		break;
	case VGPU_RENDER_RESOURCE_REMOVE:
		vgpu_gfx_resource_gone(ctx, message->resource_id);
		vgpu_resource_remove(ctx, message->resource_id);
		break;
	case VGPU_RENDER_EXPORT:
		on_export(ctx, message);
		break;
	case VGPU_RENDER_FENCE:
		on_fence(ctx, message);
		break;
	case VGPU_RENDER_TAKE:
		prctl(PR_SET_NAME, "vgpu-render");
		if (message->n == VGPU_RENDER_WIRE_GFXSTREAM)
			vgpu_gfx_init(ctx);
		vgpu_monitor_start(ctx);
		break;
	case VGPU_RENDER_RESUME:
		on_resume(ctx, message);
		break;
	default:
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "message %u is not known", message->type);
	}
}

/*
 * A submit or a command that is more work is given up, and the context with it:
 * lavapipe runs shaders in this process, and nothing else would end an endless
 * one. It also compiles them there, when a submit first uses them: programs of
 * piglit have some that take it half a minute.
 */
#define WORK_USEC_MAX (120 * 1000000ULL)

static uint64_t get_work_ns_max(void)
{
	const char *told = getenv("VGPU_WORK_SECONDS_MAX");
	unsigned long seconds;

	if (!told) /* as it was called when there was one for submits only */
		told = getenv("VGPU_SUBMIT_SECONDS_MAX");
	seconds = told ? strtoul(told, NULL, 10) : 0;

	return (seconds > 0 && seconds < 86400 ? seconds * 1000000
					       : WORK_USEC_MAX) *
	       1000;
}

static void shut_in(struct vgpu_context *ctx)
{
	struct vgpu_err err = {};

	if (vgpu_sandbox_finish(VGPU_SANDBOX_RENDER, VGPU_RENDER_FD_ROOT,
				&ctx->sandbox, &err) < 0)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER, "%s", err.text);
}

/* From now on a forbidden call ends this process. */
static void shut_calls(struct vgpu_context *ctx)
{
	enum vgpu_sandbox_role role = ctx->replay || ctx->recorder
					      ? VGPU_SANDBOX_REPLAY
					      : VGPU_SANDBOX_RENDER;
	int whom = ctx->replay ? -1 : VGPU_RENDER_FD_CALLS;
	struct vgpu_err err = {};
	struct stat st;

	if (whom >= 0 && (fstat(whom, &st) < 0 || !S_ISSOCK(st.st_mode)))
		whom = -1;
	if (!vgpu_sandbox_is_without(VGPU_LAYER_SECCOMP) &&
	    vgpu_seccomp_enter(role, whom, &err) < 0)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER, "set-up: %s", err.text);
	if (whom >= 0)
		close(whom);
}

/* Nobody of ours is asked any more: from now on it is the guest who speaks. */
static void become_ready(struct vgpu_context *ctx, uint64_t fixed_bytes,
			 const int *files, unsigned int n_files)
{
	const struct vgpu_render_message message = {
		.type = VGPU_RENDER_READY,
		.bytes = fixed_bytes,
		.n = ctx->sandbox.refused,
	};

	vgpu_channel_send_files(ctx, &message, files, n_files);
}

static void set_up(struct vgpu_context *ctx)
{
	struct vgpu_render_message message = {};
	int fds[VGPU_RENDER_FDS_MAX];
	unsigned int n_fds = 0;
	uint8_t uuid[16];
	uint64_t fixed_bytes = 0;
	const char *why;
	int r;

	r = vgpu_channel_receive(ctx, &message, uuid, sizeof(uuid), fds, &n_fds);
	if (r == -ECONNRESET)
		_exit(0);
	if (r != sizeof(uuid) || message.type != VGPU_RENDER_START ||
	    n_fds > 1 || message.bytes == 0)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "this is not how a device begins");
	if (n_fds) {
		ctx->gpu_time = vgpu_gpu_time_map(fds[0]);
		close(fds[0]);
		if (!ctx->gpu_time)
			vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
					   "no page for the GPU's time");
	}
	if (message.flags & VGPU_RENDER_FLAG_SPARE)
		prctl(PR_SET_NAME, "vgpu-spare"); /* for who looks with ps */
	ctx->framebuffer_bytes = message.bytes;
	why = vgpu_host_init(&ctx->host, uuid, ctx->framebuffer_bytes);
	if (why)
		vgpu_context_fatal(ctx, VGPU_LOSS_DEVICE, "%s", why);
	if (message.flags & VGPU_RENDER_FLAG_SPARE)
		vgpu_host_warm_up(&ctx->host);
	r = vgpu_objects_create(&ctx->objects);
	n_fds = vgpu_limits_find_files(fds);
	if (r == 0 && !ctx->replay && !ctx->recorder &&
	    !vgpu_limits_enter(message.offset,
			       message.flags & VGPU_RENDER_FLAG_SOFTWARE,
			       &fixed_bytes))
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "it cannot limit its memory");
	if (r == 0 && !ctx->replay)
		shut_in(ctx);
	if (r < 0)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER, "set-up: %s",
				   strerror(-r));
	shut_calls(ctx);
	vgpu_sandbox_on_entered();
	vgpu_stream_init(&ctx->stream, ctx, NULL);
	pthread_getcpuclockid(pthread_self(), &ctx->stream.clock);
	vgpu_watch_init(ctx, get_work_ns_max());
	if (message.n == VGPU_RENDER_WIRE_GFXSTREAM)
		vgpu_gfx_init(ctx);
	if (!(message.flags & VGPU_RENDER_FLAG_SPARE))
		vgpu_monitor_start(ctx);
	become_ready(ctx, fixed_bytes, fds, n_fds);
}

bool vgpu_context_step(struct vgpu_context *ctx)
{
	static uint8_t data[VGPU_RENDER_INLINE_MAX] __attribute__((aligned(8)));
	struct vgpu_render_message message;
	int fds[VGPU_RENDER_FDS_MAX];
	unsigned int n_fds = 0;
	int bytes = vgpu_channel_receive(ctx, &message, data, sizeof(data), fds,
					 &n_fds);

	if (bytes == -ECONNRESET)
		return false;
	if (bytes < 0 || n_fds > 1)
		vgpu_context_fatal(ctx, VGPU_LOSS_OTHER,
				   "no message of the device's");
	vgpu_stream_begin(&ctx->stream, VGPU_STEP_MESSAGE);
	handle(ctx, &message, data, bytes, n_fds ? fds[0] : -1);
	vgpu_stream_end(&ctx->stream);
	if (n_fds)
		close(fds[0]);
	return true;
}

void vgpu_context_run(struct vgpu_context *ctx)
{
	pthread_condattr_t attr;

	vgpu_channel_init(&ctx->channel);
	pthread_mutex_init(&ctx->lock, NULL);
	pthread_mutex_init(&ctx->memory_lock, NULL);
	pthread_cond_init(&ctx->ring_moved, NULL);
	pthread_cond_init(&ctx->timeline_left, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->resource_added, &attr);
	pthread_condattr_destroy(&attr);
	set_up(ctx);
	while (vgpu_context_step(ctx))
		;
	/* The device has gone, and nobody else can tell the guest any more. */
	vgpu_rings_set_status(ctx, VGPU_RENDER_RING_STATUS_FATAL, false);
	vgpu_gfx_fail(ctx);
}
