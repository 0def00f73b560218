/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A physical GPU, and the provider that makes vGPUs on it. */
#ifndef VGPU_MANAGER_GPU_GPU_H
#define VGPU_MANAGER_GPU_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-json.h>

#include "manager/device/fd_store.h"
#include "lib/placement.h"
#include "lib/share.h"

/* The id of the software GPU that is always there. */
#define VGPU_EMBEDDED_ID "embedded"

struct vgpu_definition;
struct vgpu_err;
struct vgpu_gpu;
struct vgpu_instance;
struct vgpu_manager;
struct vgpu_type;

/* How framebuffer is had that device processes are given. All are required. */
struct vgpu_memory_ops {
	/*
	 * Put @size bytes of framebuffer into @store. Returns 0, or -EAGAIN if
	 * it will be there later: its progress callback is called then.
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

/* A way of making vGPUs. */
struct vgpu_provider_ops {
	const char *name; /* "mediated" */

	/* The types that @gpu can have. Borrowed until the next refresh. */
	size_t (*type_count)(struct vgpu_manager *manager, struct vgpu_gpu *gpu);
	const struct vgpu_type *(*type_at)(struct vgpu_manager *manager,
					   struct vgpu_gpu *gpu, size_t i);
	/* What the functions of capacity.h of the same names do. */
	uint64_t (*free_bytes)(struct vgpu_manager *manager,
			       struct vgpu_gpu *gpu);
	uint64_t (*count)(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			  const struct vgpu_type *type);
	int (*place)(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		     struct vgpu_definition *definition, struct vgpu_err *err);
	bool (*is_free)(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			const struct vgpu_definition *definition);

	/* Every definition is loaded. */
	int (*start)(struct vgpu_gpu *gpu);
	void (*finish)(struct vgpu_gpu *gpu);

	/* What follows is only where vGPUs have no device process. */

	/* Look again at what others may have changed; comes before each call. */
	void (*refresh)(struct vgpu_gpu *gpu);
	/* Make a vGPU that is defined; answers its creator. */
	void (*begin)(struct vgpu_instance *instance);
	/* Take it apart, so that it can be forgotten; fails if it is in use. */
	int (*release)(struct vgpu_instance *instance, struct vgpu_err *err);
	/* More fields of the GPU and of a vGPU, merged into *json. */
	int (*show_gpu)(struct vgpu_gpu *gpu, sd_json_variant **json);
	int (*show)(struct vgpu_instance *instance, sd_json_variant **json);
	/*
	 * QEMU's arguments, as *ret_json, its -device alone, as an object, and
	 * a note for a person.
	 */
	int (*qemu_arguments)(struct vgpu_instance *instance,
			      sd_json_variant **ret_json,
			      sd_json_variant **ret_device,
			      const char **ret_note, struct vgpu_err *err);
};

struct vgpu_gpu {
	char id[32]; /* PCI address, or "embedded" */
	char name[256];
	char driver[256];
	char device_uuid[40];
	char pci_address[32]; /* "" if it has none */
	bool is_software;
	uint64_t memory_mib;
	char memory_import[32]; /* how it takes memory, see vulkan/import.h */
	char unusable[320];	/* why it makes no vGPU now; "" if it does */
	bool is_doubted; /* its driver lost it, and is being asked again */
	bool is_lost;	 /* ... and said what is in unusable */

	struct vgpu_framebuffer framebuffer;
	const struct vgpu_provider_ops *ops;  /* NULL if it never is usable */
	const struct vgpu_memory_ops *memory; /* NULL: no device processes */
	void *provider;			      /* of ops, or of memory */
	uint64_t segment_bytes;		   /* of what take gives; 0: nothing */
	bool was_short;			   /* the last that was reported */
	struct vgpu_scheduling scheduling; /* of a GPU with memory ops */
};

#endif
