/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request while it is handled, and requests that are answered later. */
#ifndef VGPU_DEVICE_GPU_CORE_REQUEST_H
#define VGPU_DEVICE_GPU_CORE_REQUEST_H

#include "device/gpu/abi.h"
#include "device/gpu/core/core.h"
#include "device/render/reserve.h"

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

struct vgpu_gpu_rule {
	const char *name;
	uint64_t feature;      /* bits that the guest must have accepted */
	uint32_t body_bytes;   /* of the request, without the header */
	uint32_t answer_bytes; /* with the header, when all is well */
	vgpu_gpu_handler *handle;
	/* What it needs in order: see pending.c. */
	uint8_t resource_at; /* offset of the id in the body, +1; 0 for none */
	bool is_context;     /* it is of the context in its header */
};

/* answer.c */
/* @why: what the guest is to blame for, NULL for nothing. */
void vgpu_gpu_end_call(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		       uint32_t answer, const char *why);
void vgpu_gpu_answer(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     uint32_t answer);

/* pending.c: requests that wait for others, for a context or for an event */
struct vgpu_gpu_pending {
	TAILQ_ENTRY(vgpu_gpu_pending) entry;
	struct vgpu_gpu_call call;
	/*
	 * Running: it was handled and waits for an event. Else it waits for its
	 * turn.
	 */
	bool is_running;
	bool is_held;	   /* see vgpu_gpu_count_held() */
	uint32_t context;  /* it keeps others of this id waiting; 0 for none */
	uint32_t resource; /* the same */
	uint64_t cookie;   /* of a window operation that runs */
	uint64_t fence;	   /* of a context's fences */
	uint64_t storage;  /* of a 2D resource that is being made; or 0 */
	struct vgpu_fill fill;
	struct vgpu_gpu *gpu; /* for its callback */
	/*
	 * Undo what was started for it, for nobody waits for it any more. May
	 * be NULL.
	 */
	void (*cancel)(struct vgpu_gpu *gpu, struct vgpu_gpu_pending *pending);
	uint64_t due_usec; /* of a frame: when it is answered; else 0 */
};
/* True if @call has to wait for an earlier one, or for its context. */
bool vgpu_gpu_must_wait(struct vgpu_gpu *gpu, const struct vgpu_gpu_call *call);
/* Let @call wait. NULL if there is no memory for that. */
struct vgpu_gpu_pending *vgpu_gpu_park(struct vgpu_gpu *gpu,
				       struct vgpu_gpu_call *call);
/*
 * Park @call so that it is handled again, and return LATER or an error: for
 * handlers.
 */
uint32_t vgpu_gpu_park_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/*
 * Park @call as running: others wait for its resource. NULL if there is no
 * memory.
 */
struct vgpu_gpu_pending *vgpu_gpu_park_running(struct vgpu_gpu *gpu,
					       struct vgpu_gpu_call *call);
/* Undo parking @call as @pending. */
void vgpu_gpu_unpark(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     struct vgpu_gpu_pending *pending);
/*
 * Copy @call, which is not pending yet, into no list. NULL if there is no
 * memory.
 */
struct vgpu_gpu_pending *vgpu_gpu_pending_new(const struct vgpu_gpu_call *call);
/* Answer it, out of the list it was in. */
void vgpu_gpu_finish(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list,
		     struct vgpu_gpu_pending *pending, uint32_t answer);
/* Something that was waited for has happened. */
void vgpu_gpu_run_waiting(struct vgpu_gpu *gpu);
/* Drop all in @list unanswered: nobody waits for them. */
void vgpu_gpu_drop_pendings(struct vgpu_gpu *gpu, struct vgpu_gpu_pendings *list);

/* iov.c */
void vgpu_gpu_reader_init(struct vgpu_gpu_reader *reader,
			  const struct iovec *iov, unsigned int n);
/* Copy the next @bytes out, each read once. False if there are not as many. */
bool vgpu_gpu_read(struct vgpu_gpu_reader *reader, void *to, size_t bytes);
/* Copy to the beginning of @iov. Returns how many bytes fitted. */
size_t vgpu_gpu_write(const struct iovec *iov, unsigned int n, const void *from,
		      size_t bytes);

#endif
