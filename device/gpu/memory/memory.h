/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resources, and the memory that they are made of. */
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
/* A free slot of zeroes that is nobody's until it is put, or NO_SLOT. */
uint32_t vgpu_gpu_slot_get(struct vgpu_gpu *gpu);
/* Make it @id's; what else is in the slot is written already. */
void vgpu_gpu_slot_put(struct vgpu_gpu *gpu, uint32_t slot, uint32_t id);
/* A slot that was got, but not put. */
void vgpu_gpu_slot_abandon(struct vgpu_gpu *gpu, uint32_t slot);
/* Its id names nothing any more; storage and backing are free. */
void vgpu_gpu_slot_drop(struct vgpu_gpu *gpu, uint32_t slot);
void vgpu_gpu_table_clear(struct vgpu_gpu *gpu);

/* storage.c: the framebuffer, and who has what of it */
extern const struct vgpu_render_memory_ops vgpu_gpu_memory_ops;
int vgpu_gpu_storage_init(struct vgpu_gpu *gpu);
/* Let go of everything, which stays as the state says it is. */
void vgpu_gpu_storage_finish(struct vgpu_gpu *gpu);
/* A reset: no context and no resource is left. */
void vgpu_gpu_storage_clear(struct vgpu_gpu *gpu);
uint64_t vgpu_gpu_storage_used(const struct vgpu_gpu *gpu);
/* What a context has of it that is in files. */
uint64_t vgpu_gpu_storage_of(const struct vgpu_gpu *gpu,
			     const struct vgpu_render *owner);
/*
 * A part of it for a resource alone, in a file that has no pages yet. Returns 0
 * or -ENOMEM.
 */
int vgpu_gpu_storage_take(struct vgpu_gpu *gpu, uint64_t bytes,
			  uint64_t *ret_number);
/*
 * A resource names @number, too, which @owner was given. Returns how large it
 * is, 0 if it has no such file.
 */
uint64_t vgpu_gpu_storage_share(struct vgpu_gpu *gpu,
				const struct vgpu_render *owner, uint64_t number);
/*
 * A resource of a predecessor names it, which needs @bytes of it. @is_shared:
 * it may be larger, and others may name it, too.
 */
bool vgpu_gpu_storage_claim(struct vgpu_gpu *gpu, uint64_t number,
			    uint64_t bytes, bool is_shared);
/* What a predecessor's contexts and resources have; the contexts are there. */
int vgpu_gpu_storage_resume(struct vgpu_gpu *gpu);
/* Nobody claims anything more: the rest is free. */
void vgpu_gpu_storage_settle(struct vgpu_gpu *gpu);
/* What the context in place @index has no longer counts as its, for ever. */
void vgpu_gpu_storage_abandon(struct vgpu_gpu *gpu, uint32_t index);
/* A resource names it no more. */
void vgpu_gpu_storage_put(struct vgpu_gpu *gpu, uint64_t number);
/* The file of what a resource names, which stays ours. */
static inline int vgpu_gpu_storage_fd(const struct vgpu_gpu *gpu, uint64_t number)
{
	return gpu->storage.file[number - 1].fd_plus_1 - 1;
}
/* All of it, where we see it. NULL if there is no memory for that. */
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
/* Get the memory of a predecessor's shared blobs again. */
void vgpu_gpu_shared_resume(struct vgpu_gpu *gpu);
/* The file of what the resource in @slot shares with contexts; -1: none. */
int vgpu_gpu_resource_fd(const struct vgpu_gpu *gpu, uint32_t slot);
/* The resource in @slot, which is shared, has no memory any more. */
void vgpu_gpu_shared_drop(struct vgpu_gpu *gpu, uint32_t slot);

/* transfer.c */
vgpu_gpu_handler vgpu_gpu_transfer_to_host_2d;

/* window.c: blobs in the host-visible window */
vgpu_gpu_handler vgpu_gpu_resource_map_blob, vgpu_gpu_resource_unmap_blob;
/* Unmap the resource in @slot for @call: LATER, or an error. */
uint32_t vgpu_gpu_window_leave(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot);
/* False if what the state says of the mapping cannot be. */
bool vgpu_gpu_window_resume(struct vgpu_gpu *gpu, uint32_t slot);

#endif
