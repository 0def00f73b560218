/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of device/gpu share. */
#ifndef VGPU_DEVICE_GPU_INTERNAL_H
#define VGPU_DEVICE_GPU_INTERNAL_H

#include <sys/queue.h>

#include "device/display/console.h"
#include "device/display/pixels.h"
#include "device/display/viewer.h"
#include "device/gpu/abi.h"
#include "device/gpu/extents.h"
#include "device/gpu/gpu.h"
#include "device/gpu/state_abi.h"
#include "device/render/render.h"
#include "device/render/reserve.h"
#include "lib/type.h"
#include "lib/util.h"
#include "render/abi.h"

static_assert(VGPU_GPU_PROGRAMS == VGPU_GPU_CONTEXTS_MAX + 1, "programs");
static_assert(VGPU_HEADS_MAX == VGPU_GPU_SCANOUTS_MAX, "a head is a scanout");

/* Pixels of one 2D resource a side: what the largest wall of heads can show. */
#define VGPU_GPU_SIDE_MAX 16384u
/* The framebuffer is given out in pages. */
#define VGPU_GPU_PAGE 4096u
/* Commands of one SUBMIT_3D: what a chain of pages can carry. */
#define VGPU_GPU_SUBMIT_MAX (4u << 20)

/* What a slot of the resource table has besides its state: recomputed. */
struct vgpu_gpu_slot {
	uint64_t backing_bytes; /* sum of its entries */
	uint32_t next;	   /* slot + 1 in its hash chain or the free list */
	int shared_plus_1; /* fd of shared memory; 0: it was lost */
};

/* What an allocation has besides its state, see storage.c. */
struct vgpu_gpu_file {
	const void *owner; /* a context's process, until it is freed or gone */
	uint64_t bytes;
	uint8_t *map;	/* ours; NULL: nobody has looked at it yet */
	uint32_t users; /* resources that name it */
	uint32_t next;	/* number of the next free one, 0 for none */
	int fd_plus_1;	/* 0: it has no file */
	bool is_alone;	/* a 2D resource has it, and nobody else may */
};

struct vgpu_gpu_storage {
	struct vgpu_gpu_file *file; /* by number - 1 */
	uint32_t n;		    /* numbers beyond were never used */
	uint32_t first_free;	    /* number, or 0 */
	uint32_t n_files, files_max;
	uint64_t used_bytes;
};

/* A request that is answered later. */
struct vgpu_gpu_pending;
TAILQ_HEAD(vgpu_gpu_pendings, vgpu_gpu_pending);
struct vgpu_gpu_context;

struct vgpu_gpu {
	struct vgpu_gpu_config config;
	const struct vgpu_gpu_transport_ops *ops;
	void *opaque;
	struct vgpu_gpu_state *state;
	struct vgpu_render_config render;

	uint32_t n_scanouts; /* at least 1, even with no heads */
	struct vgpu_gpu_storage storage;
	struct vgpu_gpu_extents entries; /* of state->entry */
	struct vgpu_gpu_extents window;	 /* what is mapped in it */
	uint64_t shared_bytes;		 /* of all shared memory */
	struct vgpu_gpu_context *context[VGPU_GPU_CONTEXTS_MAX];
	/* In the order of their coming: those that wait, or hold others up. */
	struct vgpu_gpu_pendings pendings;
	uint64_t last_cookie;
	/* What resources' UUIDs are made of: random bytes, and a count. */
	uint8_t uuid_base[16];
	uint64_t last_uuid;
	struct vgpu_gpu_slot slot[VGPU_GPU_RESOURCES_MAX];
	uint32_t chain[VGPU_GPU_RESOURCES_MAX]; /* slot + 1, by hash of the id */
	uint32_t free_slot;			/* slot + 1 */
	uint64_t last_ended; /* the last process of which that is known */
	struct vgpu_viewer *viewer[VGPU_GPU_SCANOUTS_MAX];
	struct vgpu_console *console; /* the VMM's own display, if it has one */
	struct vgpu_gpu_replug {
		struct vgpu_gpu *gpu;
		sd_event_source *timer; /* NULL: it was never set */
	} replug[VGPU_GPU_SCANOUTS_MAX];
	/* pace.c: when a head may show its next frame, and who waits for that. */
	uint64_t next_frame_usec[VGPU_GPU_SCANOUTS_MAX]; /* CLOCK_MONOTONIC */
	sd_event_source *pace;
};

/* A place in a list of iovecs, moving forward. */
struct vgpu_gpu_reader {
	const struct iovec *iov;
	unsigned int n;
	size_t offset; /* in iov[0] */
};

struct vgpu_gpu_rule;

/* One command while it is handled. */
struct vgpu_gpu_call {
	const struct vgpu_gpu_rule *rule;
	struct vgpu_gpu_request *request;
	struct vgpu_gpu_pending *pending; /* that it is part of, or NULL */
	struct vgpu_gpu_header header;
	struct vgpu_gpu_reader rest; /* what follows the fixed part */
	uint64_t rest_bytes;
	bool is_retry;
	bool is_blameless; /* the guest could not know that it would fail */
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
		struct vgpu_gpu_ctx_create ctx_create;
		struct vgpu_gpu_submit_3d submit;
		struct vgpu_gpu_map_blob map_blob;
		struct vgpu_gpu_set_scanout_blob set_scanout_blob;
		struct vgpu_gpu_cursor_request cursor;
		uint8_t body[72]; /* room for any of them */
	};
	union { /* zeroed before the command is handled */
		struct vgpu_gpu_header header;
		struct vgpu_gpu_answer_display_info display_info;
		struct vgpu_gpu_answer_edid edid;
		struct vgpu_gpu_answer_uuid uuid;
		struct vgpu_gpu_answer_capset_info capset_info;
		struct vgpu_gpu_answer_capset capset;
		struct vgpu_gpu_answer_map_info map_info;
	} answer;
};

/*
 * Handlers return an enum vgpu_gpu_answer, or this: the call is pending, and
 * will be answered by vgpu_gpu_finish().
 */
#define VGPU_GPU_LATER 0u
typedef uint32_t vgpu_gpu_handler(struct vgpu_gpu *gpu,
				  struct vgpu_gpu_call *call);

/* gpu.c */
struct vgpu_gpu_rule {
	const char *name;
	uint64_t feature;      /* bits that the guest must have accepted */
	uint32_t body_bytes;   /* of the request, without the header */
	uint32_t answer_bytes; /* with the header, when all is well */
	vgpu_gpu_handler *handle;
	/* What it needs in order: see lane.c. */
	uint8_t resource_at; /* offset of the id in the body, +1; 0 for none */
	bool is_context;     /* it is of the context in its header */
};
void vgpu_gpu_answer(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     uint32_t answer);

/* lane.c: requests that wait for others, or for someone else */
struct vgpu_gpu_pending {
	TAILQ_ENTRY(vgpu_gpu_pending) entry;
	struct vgpu_gpu_call call;
	/* Running: somebody works on it. Else it waits for its turn. */
	bool is_running;
	uint32_t context;  /* it keeps others of this id waiting; 0 for none */
	uint32_t resource; /* the same */
	uint64_t cookie;   /* of a window operation that runs */
	uint64_t fence;	   /* of a context's fences */
	uint64_t storage;  /* of a 2D resource that is being made; or 0 */
	struct vgpu_fill fill;
	struct vgpu_gpu *gpu; /* for its callback */
	uint64_t due_usec;    /* of a frame: when it is answered; else 0 */
};
/* True if @call has to wait for an earlier one, or for its context. */
bool vgpu_gpu_must_wait(struct vgpu_gpu *gpu, const struct vgpu_gpu_call *call);
/* Let @call wait. NULL if there is no memory for that. */
struct vgpu_gpu_pending *vgpu_gpu_park(struct vgpu_gpu *gpu,
				       struct vgpu_gpu_call *call);
/* The same, for handlers to return: they are called again. LATER or an error. */
uint32_t vgpu_gpu_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/* @call runs from now on, and keeps others from its resource. The same. */
struct vgpu_gpu_pending *vgpu_gpu_park_running(struct vgpu_gpu *gpu,
					       struct vgpu_gpu_call *call);
/* As if @call, which was parked as @pending, never had been. */
void vgpu_gpu_unpark(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     struct vgpu_gpu_pending *pending);
/* A copy of @call, which is not pending, in no list. NULL the same. */
struct vgpu_gpu_pending *vgpu_gpu_pending_new(const struct vgpu_gpu_call *call);
/* Answer it, out of the list it was in. */
void vgpu_gpu_finish(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list,
		     struct vgpu_gpu_pending *pending, uint32_t answer);
/* Something that was waited for has happened. */
void vgpu_gpu_wake(struct vgpu_gpu *gpu);
/* Let go of all in @list; nobody waits for the answers. */
void vgpu_gpu_forget(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list);

/* context.c */
vgpu_gpu_handler vgpu_gpu_ctx_create, vgpu_gpu_ctx_destroy,
	vgpu_gpu_ctx_attach_resource, vgpu_gpu_ctx_detach_resource,
	vgpu_gpu_submit_3d;
/* Its process, or NULL with *ret_answer: there is none of that id, or none
 * any more, for which @call is not to blame. */
struct vgpu_render *vgpu_gpu_context_render(struct vgpu_gpu *gpu,
					    struct vgpu_gpu_call *call,
					    uint32_t *ret_answer);
/* As in struct vgpu_render_memory_ops, of a struct vgpu_gpu. */
int vgpu_gpu_context_open(void *opaque, struct vgpu_render *render,
			  uint32_t resource_id, int *ret_fd,
			  uint64_t *ret_bytes, bool *ret_is_first);
/* Its process takes nothing more now: @call is handled again when it does. */
uint32_t vgpu_gpu_context_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/* True if it starts yet, or takes nothing more now: nothing may be given to it.
 * So a guest waits for its first ring's memory, and for nothing in it. */
bool vgpu_gpu_context_is_full(struct vgpu_gpu *gpu, uint32_t id);
/*
 * Tell all contexts' processes that the resource in @slot goes: OK_NODATA, or
 * LATER if one cannot be told yet.
 */
uint32_t vgpu_gpu_contexts_leave(struct vgpu_gpu *gpu,
				 struct vgpu_gpu_call *call, uint32_t slot);
void vgpu_gpu_contexts_clear(struct vgpu_gpu *gpu);
/* The contexts of a predecessor, those that are lost included. */
void vgpu_gpu_contexts_resume(struct vgpu_gpu *gpu);
/* The state says of the one in place @index what cannot be: it is lost. */
void vgpu_gpu_context_refuse(struct vgpu_gpu *gpu, uint32_t index,
			     const char *why);
/* ... once the resources are there: what their processes know of these. */
void vgpu_gpu_contexts_resume_resources(struct vgpu_gpu *gpu);
/* @call was handed to its context by a predecessor: wait for what comes of it. */
bool vgpu_gpu_context_retake(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/* The place of the context with that id + 1; 0: there is none. */
uint32_t vgpu_gpu_context_program(struct vgpu_gpu *gpu, uint32_t id);
/* The process of the context in place @index of the state; NULL: none. */
const struct vgpu_render *vgpu_gpu_context_owner(const struct vgpu_gpu *gpu,
						 uint32_t index);
/* And back; NO_SLOT if it is no context's. */
uint32_t vgpu_gpu_context_index(const struct vgpu_gpu *gpu,
				const struct vgpu_render *render);

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
	vgpu_gpu_resource_assign_uuid;
/* @pending, which may be the making of a 2D resource, comes to nothing. */
void vgpu_gpu_2d_cancel(struct vgpu_gpu *gpu, struct vgpu_gpu_pending *pending);
/* Bytes of a 2D resource's pixels; false if there can be no such. */
bool vgpu_gpu_2d_bytes(uint32_t format, uint32_t width, uint32_t height,
		       uint64_t *ret_bytes);
static inline uint64_t vgpu_gpu_storage_bytes(uint64_t bytes)
{
	return vgpu_align_up(bytes, VGPU_GPU_PAGE);
}

/* blob.c */
vgpu_gpu_handler vgpu_gpu_resource_create_blob;
/* Get the memory of a predecessor's shared blobs again. */
void vgpu_gpu_shared_resume(struct vgpu_gpu *gpu);
/* The file of what the resource in @slot shares with contexts; -1: none. */
int vgpu_gpu_resource_fd(const struct vgpu_gpu *gpu, uint32_t slot);
/* The resource in @slot, which is shared, has no memory any more. */
void vgpu_gpu_shared_drop(struct vgpu_gpu *gpu, uint32_t slot);
void vgpu_gpu_exported(struct vgpu_gpu *gpu, uint32_t context,
		       const struct vgpu_render *render, uint32_t resource_id,
		       int status, uint64_t number, uint64_t bytes);

/* window.c: blobs in the host-visible window */
vgpu_gpu_handler vgpu_gpu_resource_map_blob, vgpu_gpu_resource_unmap_blob;
/* Unmap the resource in @slot for @call: LATER, or an error. */
uint32_t vgpu_gpu_window_leave(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
			       uint32_t slot);
/* False if what the state says of the mapping cannot be. */
bool vgpu_gpu_window_resume(struct vgpu_gpu *gpu, uint32_t slot);

/* capset.c */
vgpu_gpu_handler vgpu_gpu_get_capset_info, vgpu_gpu_get_capset;

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
			     bool is_blob);
/* What the head shows, or NULL. */
const struct vgpu_gpu_state_view *vgpu_gpu_view_of(const struct vgpu_gpu *gpu,
						   uint32_t head);
void vgpu_gpu_scanout_off(struct vgpu_gpu *gpu, uint32_t head);
/* No head shows the resource any more. */
void vgpu_gpu_scanouts_forget(struct vgpu_gpu *gpu, uint32_t resource_id);

/* replug.c */
/* The mode that @head prefers is another one, and the guest is told that. */
void vgpu_gpu_replug_mode_set(struct vgpu_gpu *gpu, uint32_t head);
/* @head shows nothing any more. */
void vgpu_gpu_replug_off(struct vgpu_gpu *gpu, uint32_t head);
void vgpu_gpu_replug_resume(struct vgpu_gpu *gpu);
void vgpu_gpu_replug_finish(struct vgpu_gpu *gpu);

/* pace.c */
/* A frame is new on @heads, a bit each: OK_NODATA, or LATER. */
uint32_t vgpu_gpu_pace(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		       uint32_t heads);
/* Look at frames that wait no later than then; 0: there are none. */
void vgpu_gpu_pace_arm(struct vgpu_gpu *gpu, uint64_t due_usec);

/* cursor.c */
vgpu_gpu_handler vgpu_gpu_update_cursor, vgpu_gpu_move_cursor;
/* The picture of the head's cursor, or NULL if it has none. */
const uint32_t *vgpu_gpu_cursor_of(const struct vgpu_gpu *gpu, uint32_t head,
				   struct vgpu_viewer_cursor *ret_cursor);

/* head.c: what the guest and the manager are told of the heads */
vgpu_gpu_handler vgpu_gpu_get_display_info, vgpu_gpu_get_edid;
/* A head's mode; 0 x 0 if it is unplugged. */
void vgpu_gpu_head_mode(const struct vgpu_gpu *gpu, uint32_t head,
			uint32_t *ret_width, uint32_t *ret_height);
bool vgpu_gpu_mode_is_valid(const struct vgpu_gpu *gpu, uint32_t width,
			    uint32_t height);
uint32_t vgpu_gpu_head_first_mode(const struct vgpu_gpu *gpu, uint32_t head);
/*
 * The VMM's display wants @head to be so large, 0 x 0 for unplugged; it has
 * told the guest that something changed. What the head cannot be is cut.
 */
void vgpu_gpu_head_follow(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
			  uint32_t height);
/* Answer who asked for the modes, with what is known of them. */
void vgpu_gpu_modes_known(struct vgpu_gpu *gpu);

/* capture.c */
/* What a picture of the head measures. */
void vgpu_gpu_picture_size(const struct vgpu_gpu *gpu, uint32_t head,
			   uint32_t *ret_width, uint32_t *ret_height);
/* The head's picture changed in its size or its source: all of it is new. */
void vgpu_gpu_picture_changed(struct vgpu_gpu *gpu, uint32_t head);
/* A part of it is new, where the head shows it. */
void vgpu_gpu_damage(struct vgpu_gpu *gpu, uint32_t head,
		     const struct vgpu_gpu_rect *rect);
void vgpu_gpu_cursor_changed(struct vgpu_gpu *gpu, uint32_t head);
void vgpu_gpu_cursor_moved(struct vgpu_gpu *gpu, uint32_t head);

/* resume.c */
/* Make what is private from the state, dropping what makes no sense in it. */
int vgpu_gpu_resume(struct vgpu_gpu *gpu);

static inline uint32_t vgpu_gpu_pack_mode(uint32_t width, uint32_t height)
{
	return width << 16 | height;
}

#endif
