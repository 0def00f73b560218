/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct vgpu_gpu: the state block, and what each room of device/gpu keeps
 * besides.
 */
#ifndef VGPU_DEVICE_GPU_CORE_CORE_H
#define VGPU_DEVICE_GPU_CORE_CORE_H

#include <sys/queue.h>

#include "device/gpu/core/extents.h"
#include "device/gpu/gpu.h"
#include "device/gpu/state_abi.h"
#include "device/render/freed.h"
#include "device/render/render.h"
#include "lib/util.h"

static_assert(VGPU_GPU_PROGRAMS == VGPU_GPU_CONTEXTS_MAX + 1, "programs");

/* The framebuffer is given out in pages. */
#define VGPU_GPU_PAGE 4096u
/* No slot, and no place of a context. */
#define VGPU_GPU_NO_SLOT UINT32_MAX

/*
 * What a slot of the resource table has besides its state; rebuilt by a
 * successor.
 */
struct vgpu_gpu_slot {
	uint64_t backing_bytes; /* sum of its entries */
	uint32_t next;	   /* slot + 1 in its hash chain or the free list */
	int shared_plus_1; /* fd of shared memory; 0: it was lost */
};

/* What an allocation has besides its state, see memory/storage.c. */
struct vgpu_gpu_file {
	const void *owner; /* a context's process, until it is freed or gone */
	uint64_t bytes;
	uint8_t *map;	/* ours; NULL: nobody has looked at it yet */
	uint32_t users; /* resources that name it */
	uint32_t next;	/* number of the next free one, 0 for none */
	int fd_plus_1;	/* 0: it has no file */
	bool is_alone;	/* a 2D resource has it, and nobody else may */
	/* The one context's process that was ever given it, while it lives. */
	const struct vgpu_render *only_user;
};

struct vgpu_gpu_storage {
	struct vgpu_gpu_file *file; /* by number - 1 */
	uint32_t n;		    /* numbers beyond were never used */
	uint32_t first_free;	    /* number, or 0 */
	uint32_t n_files, files_max;
	uint64_t used_bytes;	 /* without those that are kept */
	struct vgpu_freed freed; /* by number */
};

/* A request that is answered later. */
struct vgpu_gpu_pending;
TAILQ_HEAD(vgpu_gpu_pendings, vgpu_gpu_pending);
struct vgpu_gpu_context;

/* What lower rooms ask of device/gpu/context. */
struct vgpu_gpu_context_ops {
	/*
	 * True if its process is still starting, or its socket is full: nothing
	 * may be sent to it. So a guest waits until its first ring's memory is
	 * created, and not for the ring itself.
	 */
	bool (*is_full)(struct vgpu_gpu *gpu, uint32_t id);
	/* The process of context @index in the state; NULL: none. */
	const struct vgpu_render *(*owner)(const struct vgpu_gpu *gpu,
					   uint32_t index);
	/* The reverse; NO_SLOT if it is no context's. */
	uint32_t (*index)(const struct vgpu_gpu *gpu,
			  const struct vgpu_render *render);
	/* The state of context @index is inconsistent: the context is lost. */
	void (*refuse)(struct vgpu_gpu *gpu, uint32_t index, const char *why);
	/* As in struct vgpu_render_memory_ops. */
	int (*open)(struct vgpu_gpu *gpu, struct vgpu_render *render,
		    uint32_t resource_id, int *ret_fd, uint64_t *ret_bytes,
		    bool *ret_is_first);
};

struct vgpu_gpu {
	struct vgpu_gpu_config config;
	const struct vgpu_gpu_transport_ops *ops;
	void *opaque;
	struct vgpu_gpu_state *state;
	/* Requests that wait or that others wait for, in order of arrival. */
	struct vgpu_gpu_pendings pendings;

	/* Of memory/: the resource table, and what resources are made of. */
	struct vgpu_gpu_slot slot[VGPU_GPU_RESOURCES_MAX];
	uint32_t chain[VGPU_GPU_RESOURCES_MAX]; /* slot + 1, by hash of the id */
	uint32_t free_slot;			/* slot + 1 */
	struct vgpu_gpu_storage storage;
	struct vgpu_gpu_extents entries; /* of state->entry */
	struct vgpu_gpu_extents window;	 /* what is mapped in it */
	uint64_t last_cookie;		 /* of an operation on the window */
	uint64_t shared_bytes;		 /* of all shared memory */
	uint64_t last_ended; /* the last process of which that is known */

	/* Of context/. */
	const struct vgpu_gpu_context_ops *context_ops;
	struct vgpu_render_config render;
	struct vgpu_gpu_context *context[VGPU_GPU_CONTEXTS_MAX];

	/* Of display/. */
	uint32_t n_scanouts; /* at least 1, even with no heads */
	struct vgpu_viewer *viewer[VGPU_GPU_SCANOUTS_MAX];
	struct vgpu_console *console; /* the VMM's own display, if it has one */
	struct vgpu_gpu_replug {
		struct vgpu_gpu *gpu;
		sd_event_source *timer; /* NULL: it was never set */
	} replug[VGPU_GPU_SCANOUTS_MAX];
	/* When a head may show its next frame, and who waits for that. */
	uint64_t next_frame_usec[VGPU_GPU_SCANOUTS_MAX]; /* CLOCK_MONOTONIC */
	sd_event_source *frame_timer;
	uint64_t last_frame_usec[VGPU_GPU_SCANOUTS_MAX];
	struct vgpu_figures figures; /* but for contexts */

	/* Of resource.c: what UUIDs are made of, random bytes and a count. */
	uint8_t uuid_base[16];
	uint64_t last_uuid;
};

#endif
