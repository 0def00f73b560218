/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resources and their memory. */
#ifndef VGPU_DEVICE_GPU_MEMORY_MEMORY_H
#define VGPU_DEVICE_GPU_MEMORY_MEMORY_H

#include "device/display/pixels.h"
#include "device/gpu/core/request.h"

/* Pixels of one 2D resource a side: what the largest wall of heads can show. */
#define VGPU_GPU_SIDE_MAX 16384u

/* table.c: resources by id */
uint32_t vgpu_gpu_slot_find(const struct vgpu_gpu *gpu, uint32_t id);
/* NULL if there is none. */
struct vgpu_gpu_state_resource *vgpu_gpu_resource_find(struct vgpu_gpu *gpu,
						       uint32_t id);
/* A free slot, zeroed, to be put when it is complete; or NO_SLOT. */
uint32_t vgpu_gpu_slot_get(struct vgpu_gpu *gpu);
/* Commit the slot, which is complete, as resource @id. */
void vgpu_gpu_slot_put(struct vgpu_gpu *gpu, uint32_t slot, uint32_t id);
/* A slot that was got, but not put. */
void vgpu_gpu_slot_abandon(struct vgpu_gpu *gpu, uint32_t slot);
/* Remove the resource: free its storage and backing, and the slot. */
void vgpu_gpu_slot_drop(struct vgpu_gpu *gpu, uint32_t slot);
void vgpu_gpu_table_clear(struct vgpu_gpu *gpu);

/* storage.c: allocations of the framebuffer */
extern const struct vgpu_render_memory_ops vgpu_gpu_memory_ops;
int vgpu_gpu_storage_init(struct vgpu_gpu *gpu);
/* Free all of this process's; the state block keeps the allocations. */
void vgpu_gpu_storage_finish(struct vgpu_gpu *gpu);
/* A reset: no context and no resource is left. */
void vgpu_gpu_storage_clear(struct vgpu_gpu *gpu);
uint64_t vgpu_gpu_storage_used(const struct vgpu_gpu *gpu);
/* What a context has of it that is in files. */
uint64_t vgpu_gpu_storage_of(const struct vgpu_gpu *gpu,
			     const struct vgpu_render *owner);
/*
 * Allocate @bytes for one resource, as a file without pages yet. Returns 0 or
 * -ENOMEM.
 */
int vgpu_gpu_storage_take(struct vgpu_gpu *gpu, uint64_t bytes,
			  uint64_t *ret_number);
/*
 * Take a reference on allocation @number for a resource. Returns its size; 0 if
 * @owner has no such file.
 */
uint64_t vgpu_gpu_storage_share(struct vgpu_gpu *gpu,
				const struct vgpu_render *owner, uint64_t number);
/*
 * Resume a resource's reference on allocation @number. It must be of @bytes;
 * with @is_shared it may be larger and have other references.
 */
bool vgpu_gpu_storage_claim(struct vgpu_gpu *gpu, uint64_t number,
			    uint64_t bytes, bool is_shared);
/* Resume a predecessor's allocations. The contexts are resumed already. */
int vgpu_gpu_storage_resume(struct vgpu_gpu *gpu);
/* All references are resumed: free the rest. */
void vgpu_gpu_storage_settle(struct vgpu_gpu *gpu);
/*
 * Allocations of context @index belong to its process alone from now on, and
 * stay in use until that has ended.
 */
void vgpu_gpu_storage_abandon(struct vgpu_gpu *gpu, uint32_t index);
/* Its fd, for another context than its owner's. */
int vgpu_gpu_storage_open(struct vgpu_gpu *gpu, uint64_t number);
/* A resource names it no more. */
void vgpu_gpu_storage_put(struct vgpu_gpu *gpu, uint64_t number);
/* The fd of allocation @number, which stays ours. */
static inline int vgpu_gpu_storage_fd(const struct vgpu_gpu *gpu, uint64_t number)
{
	return gpu->storage.file[number - 1].fd_plus_1 - 1;
}
/* Our mapping of all of it. NULL if it cannot be mapped. */
uint8_t *vgpu_gpu_storage_map(struct vgpu_gpu *gpu, uint64_t number);

/* backing.c: the guest memory behind a resource */
vgpu_gpu_handler vgpu_gpu_attach_backing, vgpu_gpu_detach_backing;
/*
 * Read @n entries from the call into the slot's backing and commit it.
 * @bytes_min is what they must add up to.
 */
uint32_t vgpu_gpu_backing_take(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot, uint32_t n, uint64_t bytes_min);
static inline bool vgpu_gpu_entry_is_valid(const struct vgpu_gpu_entry *entry)
{
	uint64_t end;

	return entry->bytes > 0 &&
	       vgpu_checked_add(entry->gpa, (uint64_t)entry->bytes, &end);
}
void vgpu_gpu_backing_drop(struct vgpu_gpu *gpu, uint32_t slot);

/* A place in a resource's backing, moving forward. */
struct vgpu_gpu_walk {
	struct vgpu_gpu *gpu;
	uint32_t entry;
	uint32_t end;
	uint64_t base; /* offset in the backing where that entry begins */
};
void vgpu_gpu_walk_init(struct vgpu_gpu_walk *walk, struct vgpu_gpu *gpu,
			uint32_t slot);
/*
 * Copy out [offset, offset + bytes) of the backing. Offsets may not go back
 * from one call to the next. False if any of it is not guest memory.
 */
bool vgpu_gpu_walk_copy(struct vgpu_gpu_walk *walk, uint64_t offset, void *to,
			uint64_t bytes);

/* format.c */
/* NULL if there is no such format. */
const struct vgpu_pixel_order *vgpu_gpu_format_order(uint32_t format);

/* resource_2d.c */
vgpu_gpu_handler vgpu_gpu_resource_create_2d;
/* Bytes of a 2D resource's pixels; false if there can be no such. */
bool vgpu_gpu_2d_bytes(uint32_t format, uint32_t width, uint32_t height,
		       uint64_t *ret_bytes);
static inline uint64_t vgpu_gpu_storage_bytes(uint64_t bytes)
{
	return vgpu_align_up(bytes, VGPU_GPU_PAGE);
}

/* shared.c: memory that contexts' processes and the guest share */
/* Fetch the files of a predecessor's shared blobs. */
void vgpu_gpu_shared_resume(struct vgpu_gpu *gpu);
/*
 * The fd of the memory that the resource in @slot shares with contexts; -1:
 * none.
 */
int vgpu_gpu_resource_fd(const struct vgpu_gpu *gpu, uint32_t slot);
/* Free the shared memory of the resource in @slot, if it has any. */
void vgpu_gpu_shared_drop(struct vgpu_gpu *gpu, uint32_t slot);

/* transfer.c */
vgpu_gpu_handler vgpu_gpu_transfer_to_host_2d;

/* window.c: blobs in the host-visible window */
vgpu_gpu_handler vgpu_gpu_resource_map_blob, vgpu_gpu_resource_unmap_blob;
/* Unmap the resource in @slot for @call: LATER, or an error. */
uint32_t vgpu_gpu_window_leave(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot);
/* False if the state of the mapping is inconsistent. */
bool vgpu_gpu_window_resume(struct vgpu_gpu *gpu, uint32_t slot);

#endif
