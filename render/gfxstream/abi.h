/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gfxstream's guest driver submits, and a connection's shared memory. */
#ifndef VGPU_RENDER_GFXSTREAM_ABI_H
#define VGPU_RENDER_GFXSTREAM_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* The first word of what is submitted; a resource's number follows. */
enum vgpu_gfx_submission {
	VGPU_GFX_CONTEXT_CREATE = 0x1001,
	VGPU_GFX_CONTEXT_PING = 0x1002,
	VGPU_GFX_PLACEHOLDER = 0xf002,
};

/* What the capset says of connections (device/gpu/capset.c tells the same). */
#define VGPU_GFX_RINGS_BYTES  12288U
#define VGPU_GFX_BUFFER_BYTES (1U << 20)
/* The guest has at most so many bytes in one entry of its ring. */
#define VGPU_GFX_FLUSH_BYTES 262144U

#define VGPU_GFX_RING_BYTES 2048U

/* Positions count bytes, and are taken modulo the size. */
struct vgpu_gfx_ring {
	uint32_t host_version;
	uint32_t guest_version;
	uint32_t write_at; /* the writer's */
	uint32_t pad[13];
	uint32_t read_at; /* the reader's */
	uint32_t counters[3];
	uint32_t pad2[12];
	uint8_t data[VGPU_GFX_RING_BYTES];
	/* Only of the first ring: */
	uint32_t state;
	uint32_t buffer_bytes;
	uint32_t flush_bytes;
	uint32_t host_consumed_at;
	uint32_t guest_written_at;
	uint32_t transfer_mode;
	uint32_t transfer_bytes;
	uint32_t is_in_error;
	uint8_t pad3[4096 - 2208];
};

static_assert(offsetof(struct vgpu_gfx_ring, write_at) == 8, "ring layout");
static_assert(offsetof(struct vgpu_gfx_ring, read_at) == 64, "ring layout");
static_assert(offsetof(struct vgpu_gfx_ring, data) == 128, "ring layout");
static_assert(offsetof(struct vgpu_gfx_ring, state) == 2176, "ring layout");
static_assert(sizeof(struct vgpu_gfx_ring) == 4096, "ring size");

/* In its state: */
#define VGPU_GFX_STATE_ASLEEP  0U /* the guest has to ping */
#define VGPU_GFX_STATE_WORKING 4U /* it need not */

/* In its transfer_mode: a large piece is on its way. */
#define VGPU_GFX_MODE_LARGE 3U

/* What the guest puts into the first ring: where in the buffer something is. */
struct vgpu_gfx_entry {
	uint32_t offset;
	uint32_t bytes;
};

struct vgpu_gfx_memory {
	struct vgpu_gfx_ring entries; /* to the host */
	/* Their data are in the buffer, all of it. */
	struct vgpu_gfx_ring large;   /* to the host */
	struct vgpu_gfx_ring answers; /* from the host */
	uint8_t buffer[VGPU_GFX_BUFFER_BYTES];
};

static_assert(offsetof(struct vgpu_gfx_memory, buffer) == VGPU_GFX_RINGS_BYTES,
	      "memory layout");

#endif
