/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gfxstream's guest driver is told: capset 3, version 0. */
#ifndef VGPU_RENDER_GFXSTREAM_CAPSET_H
#define VGPU_RENDER_GFXSTREAM_CAPSET_H

#include "render/gfxstream/abi.h"

/* Drivers before Mesa 26 take the first 26 words. */
struct vgpu_gfx_capset {
	uint32_t protocol_version;
	uint32_t rings_bytes;
	uint32_t buffer_bytes;
	uint32_t color_buffer_memory_index;
	uint32_t deferred_mapping;
	uint32_t blob_alignment;
	uint32_t no_render_control_enc;
	uint32_t always_blob;
	uint32_t external_sync;
	uint32_t virgl_supported_formats[16];
	uint32_t batched_descriptor_updates;
	uint32_t has_trace_async;
	uint32_t has_set_metadata;
};

static_assert(sizeof(struct vgpu_gfx_capset) == 112, "capset size");

/*
 * Of what may be left out nothing is offered. Memory is mapped when it is
 * allocated, for a guest that maps later needs another call for it.
 */
#define VGPU_GFX_CAPSET                                                        \
	{                                                                      \
		.protocol_version = 1,                                         \
		.rings_bytes = VGPU_GFX_RINGS_BYTES,                           \
		.buffer_bytes = VGPU_GFX_BUFFER_BYTES,                         \
		.blob_alignment = 4096,                                        \
		.no_render_control_enc = 1,                                    \
		.always_blob = 1,                                              \
	}

#endif
