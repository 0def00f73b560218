/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of device/gpu share. */
#ifndef VGPU_DEVICE_GPU_INTERNAL_H
#define VGPU_DEVICE_GPU_INTERNAL_H

#include "device/display/pixels.h"
#include "device/display/viewer.h"
#include "device/gpu/abi.h"
#include "device/gpu/extents.h"
#include "device/gpu/gpu.h"
#include "device/gpu/state_abi.h"
#include "lib/type.h"
#include "lib/util.h"

static_assert(VGPU_HEADS_MAX == VGPU_GPU_SCANOUTS_MAX, "a head is a scanout");

/* Pixels of one 2D resource a side: what the largest wall of heads can show. */
#define VGPU_GPU_SIDE_MAX 16384u
/* The framebuffer is given out in pages. */
#define VGPU_GPU_STORAGE_ALIGN 4096u

/* What a slot of the resource table has besides its state: recomputed. */
struct vgpu_gpu_slot {
	uint64_t backing_bytes; /* sum of its entries */
	uint32_t next; /* slot + 1 in its hash chain or the free list */
};

struct vgpu_gpu {
	struct vgpu_gpu_config config;
	const struct vgpu_gpu_transport_ops *ops;
	void *opaque;
	struct vgpu_gpu_state *state;
	uint8_t *framebuffer;

	uint32_t n_scanouts;		 /* at least 1, even with no heads */
	struct vgpu_gpu_extents storage; /* of the framebuffer, in bytes */
	struct vgpu_gpu_extents entries; /* of state->entry */
	struct vgpu_gpu_slot slot[VGPU_GPU_RESOURCES_MAX];
	uint32_t chain[VGPU_GPU_RESOURCES_MAX]; /* slot + 1, by hash of the id */
	uint32_t free_slot;			/* slot + 1 */
	struct vgpu_viewer *viewer[VGPU_GPU_SCANOUTS_MAX];
};

/* A place in a list of iovecs, moving forward. */
struct vgpu_gpu_reader {
	const struct iovec *iov;
	unsigned int n;
	size_t offset; /* in iov[0] */
};

/* One command while it is handled. */
struct vgpu_gpu_call {
	struct vgpu_gpu_header header;
	struct vgpu_gpu_reader rest; /* what follows the fixed part */
	uint64_t rest_bytes;
	bool is_retry;
	union {
		struct vgpu_gpu_resource_create_2d create_2d;
		struct vgpu_gpu_resource_only only;
		struct vgpu_gpu_set_scanout set_scanout;
		struct vgpu_gpu_resource_flush flush;
		struct vgpu_gpu_transfer_to_host_2d transfer;
		struct vgpu_gpu_attach_backing attach;
		struct vgpu_gpu_get_capset_info get_capset_info;
		struct vgpu_gpu_get_capset get_capset;
		struct vgpu_gpu_get_edid get_edid;
		struct vgpu_gpu_create_blob create_blob;
		struct vgpu_gpu_set_scanout_blob set_scanout_blob;
		struct vgpu_gpu_cursor_request cursor;
		uint8_t body[72]; /* room for any of them */
	};
	union { /* zeroed before the command is handled */
		struct vgpu_gpu_header header;
		struct vgpu_gpu_answer_display_info display_info;
		struct vgpu_gpu_answer_edid edid;
		struct vgpu_gpu_answer_uuid uuid;
	} answer;
};

/* Handlers return an enum vgpu_gpu_answer. */
typedef uint32_t vgpu_gpu_handler(struct vgpu_gpu *gpu,
				  struct vgpu_gpu_call *call);

/* iov.c */
void vgpu_gpu_reader_init(struct vgpu_gpu_reader *reader,
			  const struct iovec *iov, unsigned int n);
/* Copy the next @bytes out, each read once. False if there are not as many. */
bool vgpu_gpu_read(struct vgpu_gpu_reader *reader, void *to, size_t bytes);
/* Copy to the beginning of @iov. Returns how many bytes fitted. */
size_t vgpu_gpu_write(const struct iovec *iov, unsigned int n, const void *from,
		      size_t bytes);

/* table.c: resources by id */
#define VGPU_GPU_NO_SLOT UINT32_MAX
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

/* format.c */
/* NULL if there is no such format. */
const struct vgpu_pixel_order *vgpu_gpu_format_order(uint32_t format);

/* resource.c */
vgpu_gpu_handler vgpu_gpu_resource_create_2d, vgpu_gpu_resource_unref,
	vgpu_gpu_resource_assign_uuid, vgpu_gpu_resource_create_blob;
/* Bytes of a 2D resource's pixels; false if there can be no such. */
bool vgpu_gpu_2d_bytes(uint32_t format, uint32_t width, uint32_t height,
		       uint64_t *ret_bytes);
static inline uint64_t vgpu_gpu_storage_bytes(uint64_t bytes)
{
	return vgpu_align_up(bytes, VGPU_GPU_STORAGE_ALIGN);
}

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

/* transfer.c */
vgpu_gpu_handler vgpu_gpu_transfer_to_host_2d;

/* scanout.c */
vgpu_gpu_handler vgpu_gpu_set_scanout, vgpu_gpu_set_scanout_blob,
	vgpu_gpu_resource_flush;
/* OK_NODATA if @view can be shown, or what is wrong with it. */
uint32_t vgpu_gpu_view_check(struct vgpu_gpu *gpu,
			     const struct vgpu_gpu_state_view *view,
			     uint32_t kind);
/* What the head shows, or NULL. */
const struct vgpu_gpu_state_view *vgpu_gpu_view_of(const struct vgpu_gpu *gpu,
						   uint32_t head);
void vgpu_gpu_scanout_off(struct vgpu_gpu *gpu, uint32_t head);
/* No head shows the resource any more. */
void vgpu_gpu_scanouts_forget(struct vgpu_gpu *gpu, uint32_t resource_id);

/* cursor.c */
vgpu_gpu_handler vgpu_gpu_update_cursor, vgpu_gpu_move_cursor;
/* The picture of the head's cursor, or NULL if it has none. */
const uint32_t *vgpu_gpu_cursor_of(const struct vgpu_gpu *gpu, uint32_t head,
				   struct vgpu_viewer_cursor *ret_cursor);

/* head.c: what the guest and the manager are told of the heads */
vgpu_gpu_handler vgpu_gpu_get_display_info, vgpu_gpu_get_edid,
	vgpu_gpu_get_capset_info, vgpu_gpu_get_capset;
/* A head's mode; 0 x 0 if it is unplugged. */
void vgpu_gpu_head_mode(const struct vgpu_gpu *gpu, uint32_t head,
			uint32_t *ret_width, uint32_t *ret_height);
bool vgpu_gpu_mode_is_valid(const struct vgpu_gpu *gpu, uint32_t width,
			    uint32_t height);
uint32_t vgpu_gpu_head_first_mode(const struct vgpu_gpu *gpu, uint32_t head);

/* capture.c */
/* What a picture of the head measures. */
void vgpu_gpu_picture_size(const struct vgpu_gpu *gpu, uint32_t head,
			   uint32_t *ret_width, uint32_t *ret_height);
/* The head's picture changed in its size or its source: all of it is new. */
void vgpu_gpu_picture_changed(struct vgpu_gpu *gpu, uint32_t head);

/* resume.c */
/* Make what is private from the state, dropping what makes no sense in it. */
void vgpu_gpu_resume(struct vgpu_gpu *gpu);

static inline uint32_t vgpu_gpu_pack_mode(uint32_t width, uint32_t height)
{
	return width << 16 | height;
}

#endif
