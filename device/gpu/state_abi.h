/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a successor of the device process needs: the gpu's part of the state. */
#ifndef VGPU_DEVICE_GPU_STATE_ABI_H
#define VGPU_DEVICE_GPU_STATE_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "device/gpu/abi.h"
#include "device/render/state_abi.h"

/*
 * Lives in memory that outlasts the process, and may be left at any
 * instruction. Hence three rules:
 *
 *   - Every change becomes true by the store of one word, marked "commit"
 *     below: all that it makes valid is written before it.
 *   - What can be computed from the rest is not in here (free lists, the
 *     lookup of ids, the extents in use).
 *   - No pointers: indices and offsets, all checked when a process begins.
 */
#define VGPU_GPU_STATE_MAGIC   0x36555047u /* "GPU6" */
#define VGPU_GPU_RESOURCES_MAX 4096u
#define VGPU_GPU_ENTRIES_MAX   (1u << 20) /* 4 GiB in scattered pages */
#define VGPU_GPU_CONTEXTS_MAX  64u	  /* each is a process of the host */
/*
 * Files of framebuffer: allocations, of which a Vulkan application makes up to
 * 4096, and 2D resources. Each is an fd of the device's and of the launcher's.
 */
#define VGPU_GPU_FILES_MAX (1u << 15)
/* Files, and mere charges to the framebuffer. */
#define VGPU_GPU_ALLOCATIONS_MAX (1u << 16)
#define VGPU_GPU_CURSOR_PIXELS	 (VGPU_GPU_CURSOR_SIDE * VGPU_GPU_CURSOR_SIDE)
/* What the launcher keeps an allocation's file by: this and its number. */
#define VGPU_GPU_KEPT_FILES VGPU_GPU_RESOURCES_MAX

enum vgpu_gpu_kind {
	VGPU_GPU_KIND_2D = 1,	/* pixels in an allocation of its own */
	VGPU_GPU_KIND_BLOB = 2, /* pixels in guest memory */
	/* Shared by contexts' processes and the guest; the launcher keeps it */
	VGPU_GPU_KIND_SHARED = 3,
	VGPU_GPU_KIND_MEMORY = 4, /* a context's device memory */
};

#define VGPU_GPU_WINDOW_MAPPED (1ULL << 0)

struct vgpu_gpu_state_resource {
	uint32_t id; /* commit; 0 for a free slot */
	uint32_t kind;
	uint32_t format; /* 2D */
	union {
		uint32_t width; /* 2D */
		/* Shared, memory: index of the context that made it, + 1 */
		uint32_t program;
	};
	uint32_t height;   /* 2D */
	uint32_t has_uuid; /* commit of uuid */
	uint64_t bytes;	   /* of a blob; of a 2D resource's pixels */
	uint64_t storage; /* 2D, memory: number of its allocation; shared: inode */
	uint64_t backing; /* commit; first entry << 32 | entries; 0 for none */
	uint8_t uuid[16];
	/* commit; offset in the window | MAPPED: mapped, or under way; else 0 */
	uint64_t window;
};

/* What a scanout shows. The last six only for a blob. */
struct vgpu_gpu_state_view {
	uint32_t resource_id;
	struct vgpu_gpu_rect rect;
	uint32_t format;
	uint32_t width;
	uint32_t height;
	uint32_t stride_bytes;
	uint32_t offset;
};

struct vgpu_gpu_state_head {
	uint32_t preferred;   /* commit; width << 16 | height; 0 if unplugged */
	uint32_t view_in_use; /* commit; 0 nothing, else view[n - 1] */
	uint32_t cursor_in_use; /* commit; 0 hidden, else cursor[n - 1] */
	uint32_t is_away; /* commit; the guest is told that it is unplugged */
	uint64_t cursor_position; /* commit; x << 32 | y, both signed */
	struct vgpu_gpu_state_view view[2];
	struct {
		uint32_t hot_x;
		uint32_t hot_y;
	} cursor[2];
};

struct vgpu_gpu_state_context {
	uint32_t id;	   /* commit; 0 for none */
	uint32_t is_ended; /* the guest destroys it: nothing of it goes on */
	struct vgpu_render_state render;
	/* By resource slot: what its process has been told of. */
	uint64_t attached[VGPU_GPU_RESOURCES_MAX / 64];
	uint32_t capset; /* its wire */
	uint32_t pad;
};

/* Whoever's process does not end, and so may still use what it has. */
#define VGPU_GPU_OWNER_NOBODY UINT32_MAX

/*
 * A part of the framebuffer, in a file that the launcher keeps. Its number is
 * its place + 1, and its name for its process. It is free if it is no context's
 * and no resource names it.
 */
struct vgpu_gpu_state_allocation {
	uint64_t inode; /* of its file; 0: a mere charge */
	uint64_t bytes;
	uint64_t question; /* that it was the answer to; nobody's: the process */
	uint32_t owner; /* commit; index of the context + 1; 0: no context's */
	uint32_t pad;
};

struct vgpu_gpu_state {
	uint32_t magic; /* commit of a first start */
	uint32_t events_read;
	uint64_t features; /* that the guest accepted */
	uint64_t commands;
	uint64_t errors;
	uint32_t slots_used;	   /* resource slots beyond were never used */
	uint32_t allocations_used; /* the same */
	uint64_t frames;	   /* that a head showed */
	uint64_t pad2[2];
	struct vgpu_gpu_state_head head[VGPU_GPU_SCANOUTS_MAX];
	/* Sparse from here on: what is not used takes no memory. */
	struct vgpu_gpu_state_resource resource[VGPU_GPU_RESOURCES_MAX]
		__attribute__((aligned(4096)));
	struct vgpu_gpu_state_context context[VGPU_GPU_CONTEXTS_MAX]
		__attribute__((aligned(4096)));
	uint8_t pad3[26 * 4096 - VGPU_GPU_CONTEXTS_MAX *
					 sizeof(struct vgpu_gpu_state_context)];
	struct vgpu_gpu_state_allocation allocation[VGPU_GPU_ALLOCATIONS_MAX]
		__attribute__((aligned(4096)));
	/* a8r8g8b8, premultiplied: taken when the guest sets the cursor */
	uint32_t cursor[VGPU_GPU_SCANOUTS_MAX][2][VGPU_GPU_CURSOR_PIXELS]
		__attribute__((aligned(4096)));
	struct vgpu_gpu_entry entry[VGPU_GPU_ENTRIES_MAX];
};

static_assert(sizeof(struct vgpu_gpu_state_resource) == 72, "resource size");
static_assert(sizeof(struct vgpu_gpu_state_view) == 40, "view size");
static_assert(sizeof(struct vgpu_gpu_state_head) == 120, "head size");
static_assert(offsetof(struct vgpu_gpu_state, head) == 64, "state layout");
static_assert(offsetof(struct vgpu_gpu_state, resource) == 4096, "state layout");
static_assert(sizeof(struct vgpu_gpu_state_context) == 8 + 1088 + 512 + 8,
	      "context size");
static_assert(sizeof(struct vgpu_gpu_state_allocation) == 32, "allocation size");
static_assert(offsetof(struct vgpu_gpu_state, context) == 4096 + 4096 * 72,
	      "state layout");
static_assert(offsetof(struct vgpu_gpu_state, allocation) ==
		      4096 + 4096 * 72 + 26 * 4096,
	      "state layout");
static_assert(offsetof(struct vgpu_gpu_state, cursor) ==
		      4096 + 4096 * 72 + 26 * 4096 + 65536 * 32,
	      "state layout");
static_assert(offsetof(struct vgpu_gpu_state, entry) ==
		      4096 + 4096 * 72 + 26 * 4096 + 65536 * 32 + 16 * 2 * 16384,
	      "state layout");

/* Make @word true: what was written before is there before it is. */
#define vgpu_gpu_commit(word, value)                                           \
	do {                                                                   \
		__atomic_store_n((word), (value), __ATOMIC_RELEASE);           \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                       \
	} while (0)

#endif
