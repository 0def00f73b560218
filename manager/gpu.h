/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A physical GPU, and the provider that makes vGPUs on it. */
#ifndef VGPU_MANAGER_GPU_H
#define VGPU_MANAGER_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include "fd_store.h"
#include "lib/placement.h"

struct vgpu_gpu;

/* A way of making vGPUs: how their framebuffer is had. All are required. */
struct vgpu_provider_ops {
	const char *name; /* "mediated" */
	/*
	 * Put @size bytes of framebuffer into @store. Returns 0, or -EAGAIN if
	 * it will be there later: vgpu_manager_on_memory() is called then.
	 */
	int (*take)(struct vgpu_gpu *gpu, uint64_t size,
		    struct vgpu_fd_store *store);
	/* Count @size bytes as taken that a running device already has. */
	void (*adopt)(struct vgpu_gpu *gpu, uint64_t size);
	/* End what take or adopt began; closes the segments in @store. */
	void (*give)(struct vgpu_gpu *gpu, uint64_t size,
		     struct vgpu_fd_store *store);
	/* True if @store holds @size bytes of what take gives. */
	bool (*is_whole)(struct vgpu_gpu *gpu, uint64_t size,
			 const struct vgpu_fd_store *store);
	/* Bytes that take would give at once. */
	uint64_t (*ready)(struct vgpu_gpu *gpu);
	/* True if no more than what is ready can be had now. */
	bool (*is_short)(struct vgpu_gpu *gpu);
	/* Everything that runs is known: begin to populate. */
	int (*start)(struct vgpu_gpu *gpu);
	void (*finish)(struct vgpu_gpu *gpu);
};

struct vgpu_gpu {
	char id[32]; /* PCI address, or "embedded" */
	char name[256];
	char driver[256];
	char device_uuid[40];
	char pci_address[32]; /* "" if it has none */
	bool is_software;
	uint64_t memory_mib;
	char unusable[160]; /* why it makes no vGPU; "" if it does */

	struct vgpu_framebuffer framebuffer;
	const struct vgpu_provider_ops *ops; /* NULL if it is unusable */
	void *provider;			     /* of ops */
	uint64_t segment_bytes;		     /* of what take gives */
	bool was_short;			     /* the last that was reported */
};

#endif
