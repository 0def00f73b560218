/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gfxstream's guest driver submits: it makes connections, and wakes them. */
#include "render/gfxstream/abi.h"
#include "render/gfxstream/connection.h"
#include "render/vulkan/recording.h"
#include "render/wire/gfxstream.h"

#include <string.h>

void vgpu_gfx_init(struct vgpu_context *ctx)
{
	pthread_condattr_t attr;

	/* Only what the device says is in there, and not what the guest does. */
	if (ctx->replay)
		vgpu_replay_end(ctx, "a context of gfxstream is not recorded");
	pthread_mutex_init(&ctx->gfx.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->gfx.turn, &attr);
	pthread_condattr_destroy(&attr);
	ctx->stream.command_name = vgpu_gfx_command_name;
	ctx->is_gfxstream = true;
}

static void connect(struct vgpu_context *ctx, uint32_t resource_id)
{
	const char *why;

	switch (vgpu_gfx_connection_create(ctx, resource_id)) {
	case 0:
		return;
	case -EEXIST:
		why = "the connection exists already";
		break;
	case -EINVAL:
		why = "no shared memory for a connection";
		break;
	case -ENOSPC:
		why = "too many connections";
		break;
	default:
		why = "no memory or no thread for a connection";
	}
	vgpu_context_fatal(ctx, VGPU_LOSS_STREAM, "resource %u: %s",
			   resource_id, why);
}

void vgpu_gfx_submit(struct vgpu_context *ctx, const uint8_t *data, size_t bytes)
{
	struct vgpu_gfx_connection *connection;
	uint32_t word[2] = {};

	memcpy(word, data, VGPU_MIN(bytes, sizeof(word)));
	switch (bytes < sizeof(word[0]) ? 0 : word[0]) {
	case VGPU_GFX_CONTEXT_CREATE:
		connect(ctx, word[1]);
		return;
	case VGPU_GFX_CONTEXT_PING:
		connection = vgpu_gfx_connection_find(ctx, word[1]);
		if (!connection)
			vgpu_context_fatal(ctx, VGPU_LOSS_STREAM,
					   "resource %u: no such connection",
					   word[1]);
		vgpu_gfx_connection_notify(connection);
		return;
	case VGPU_GFX_PLACEHOLDER:
		return;
	default:
		vgpu_context_fatal(ctx, VGPU_LOSS_STREAM,
				   "a submission of an unknown kind, %#x",
				   word[0]);
	}
}
