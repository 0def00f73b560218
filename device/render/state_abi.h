/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a successor of the device process needs of one render process. */
#ifndef VGPU_DEVICE_RENDER_STATE_ABI_H
#define VGPU_DEVICE_RENDER_STATE_ABI_H

#include <assert.h>
#include <stdint.h>

#include "render/abi.h"

/* Lives in the state block, with the rules of device/gpu/state_abi.h. */
struct vgpu_render_state_ring {
	uint64_t status_offset;
	uint32_t resource_id;
	uint32_t is_used; /* commit */
};

struct vgpu_render_state {
	/*
	 * Commit, written last: it is READY, and a context has it. Before that
	 * it has been given nothing that another process could not be given.
	 */
	uint32_t is_ready;
	uint32_t answer;   /* status of the last answer on MEMORY */
	uint64_t process;  /* the launcher's number of it */
	uint64_t seq;	   /* of the last message that was sent, or was to be */
	uint64_t question; /* commit of answer: the number of the question */
	/* See device/render/host_memory.h. */
	uint64_t fixed_bytes;
	uint64_t granted[2];
	/* A message of its is being handled; how many devices have died then. */
	uint32_t is_handling;
	uint32_t deaths;
	struct vgpu_render_state_ring ring[VGPU_RENDER_RINGS_MAX];
};

static_assert(sizeof(struct vgpu_render_state_ring) == 16, "ring size");
static_assert(sizeof(struct vgpu_render_state) == 64 + 64 * 16, "state size");

#endif
