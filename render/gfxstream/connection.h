/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection of one thread of the guest, and its thread here. */
#ifndef VGPU_RENDER_GFXSTREAM_CONNECTION_H
#define VGPU_RENDER_GFXSTREAM_CONNECTION_H

#include "render/vulkan/context.h"

/*
 * Start the connection that has shared memory @resource_id. -EINVAL if that is
 * none, -EEXIST, -ENOSPC for too many, -ENOMEM.
 */
int vgpu_gfx_connection_create(struct vgpu_context *ctx, uint32_t resource_id);
/* NULL if there is none. Only the context's thread calls these. */
struct vgpu_gfx_connection *vgpu_gfx_connection_find(struct vgpu_context *ctx,
						     uint32_t resource_id);
/* The guest has written something. */
void vgpu_gfx_connection_notify(struct vgpu_gfx_connection *connection);

#endif
