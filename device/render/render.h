/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One guest context's render process, as the device sees it. */
#ifndef VGPU_DEVICE_RENDER_H
#define VGPU_DEVICE_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/render/reserve.h"
#include "lib/err.h"
#include "lib/figures.h"

struct vgpu_render;
struct vgpu_render_state; /* device/render/state_abi.h */

/* On a timeline, with a number of its owner's. */
struct vgpu_render_fence {
	uint32_t ring_idx;
	uint64_t id;
};

/*
 * Where device memory comes from. One for all contexts of a vGPU; all calls
 * come from the event loop.
 */
struct vgpu_render_memory_ops {
	/*
	 * @bytes (a multiple of 4096) for @context; *ret_name names them.
	 * *ret_fd is a memfd of their own, which has no pages yet and stays
	 * the memory's until it is freed. @is_charge: no memory, only the
	 * charge to the quota; then it is -1. @question: its process' number
	 * for it. Returns -ENOMEM past the quota; 1 if the file has its pages,
	 * and what @context once wrote there.
	 */
	int (*alloc)(void *opaque, struct vgpu_render *context, uint64_t bytes,
		     bool is_charge, uint64_t question, uint64_t *ret_name,
		     int *ret_fd);
	/*
	 * The same of a predecessor's with that number, which may have pages;
	 * or -ENOENT. May be NULL where there are no predecessors.
	 */
	int (*find)(void *opaque, struct vgpu_render *context,
		    uint64_t question, uint64_t *ret_name, int *ret_fd);
	/*
	 * Returns the bytes of its memfd (0 if it had none), or -EINVAL if
	 * @name is not one of @context's.
	 */
	int64_t (*free)(void *opaque, struct vgpu_render *context, uint64_t name);
	/*
	 * The file of device memory that @context was told of as @resource_id,
	 * which stays the memory's, and its size; *ret_is_first if it did not
	 * have that yet. Or -EINVAL. May be NULL where there is none.
	 */
	int (*open)(void *opaque, struct vgpu_render *context,
		    uint32_t resource_id, int *ret_fd, uint64_t *ret_bytes,
		    bool *ret_is_first);
	/* @context is destroyed: all that it had is free. */
	void (*free_all)(void *opaque, struct vgpu_render *context);
};

/* Destroy may be called from lost() alone. */
struct vgpu_render_ops {
	/* There is a process: from now on lost() is some fault's. May be NULL. */
	void (*started)(void *opaque);
	/*
	 * The process takes commands from now on. A guest must not come to
	 * wait for a ring before: Mesa ends a program whose ring shows no sign
	 * of life for some three seconds, and on a busy host a driver takes
	 * longer than that to open.
	 */
	void (*ready)(void *opaque);
	/* What returned -EAGAIN may be tried again. NULL where nothing does. */
	void (*room)(void *opaque);
	/*
	 * vgpu_render_was_sent() is known; room() follows. Of what was expected,
	 * what was not sent is not any more. NULL where there is no predecessor.
	 */
	void (*resumed)(void *opaque);
	/* All commands before fence @id of this timeline are done. */
	void (*fence_done)(void *opaque, uint32_t ring_idx, uint64_t id);
	/* Answer to vgpu_render_export(); @status 0 or -errno. */
	void (*exported)(void *opaque, uint32_t resource_id, int status,
			 uint64_t name, uint64_t bytes);
	/*
	 * Its process is gone: call vgpu_render_set_fatal() for @status_offset
	 * of shared memory @resource_id, if the context has such a resource.
	 * The process named them, so neither may be true. Comes before lost().
	 * May be NULL.
	 */
	void (*fail_ring)(void *opaque, uint32_t resource_id,
			  uint64_t status_offset);
	/*
	 * The context is at an end, by the guest's fault or the driver's; @why
	 * is one line. Its process is gone, but its memory stays its own until
	 * it is destroyed: the guest may still look at it. No fence_done comes
	 * any more, and nothing that was not done may be told to be. Only
	 * destroy may follow; it may be called from here.
	 */
	void (*lost)(void *opaque, const char *why);
};

struct vgpu_render_config {
	sd_event *event;
	const char *name; /* of the vGPU, for the log */
	uint8_t gpu_uuid[16];
	uint64_t framebuffer_bytes;   /* the guest's heap */
	struct vgpu_reserve *reserve; /* its memory's pages; or NULL */
	int udmabuf;  /* what dma-bufs are made with, or -errno */
	int gpu_time; /* memfd of a struct vgpu_gpu_time; on hardware only */
	const struct vgpu_render_memory_ops *memory;
	void *memory_opaque;
	struct vgpu_launcher *launcher;	 /* starts the processes */
	struct vgpu_render_spare *spare; /* NULL: none is kept */
	/* Says which layers of its sandbox the kernel does not give; or NULL. */
	void (*lacks)(void *opaque, const char *text);
	void *lacks_opaque;
	struct vgpu_host_memory *host_memory; /* NULL: no limit */
	uint32_t wire; /* of a context (render/abi.h); 0: venus' */
};

/*
 * A process that has opened the driver ahead, for the next context of a vGPU.
 * Opening it is most of what a new context costs. There is one only while the
 * vGPU has contexts, and a little longer: an idle one is small.
 */
struct vgpu_render_spare *vgpu_render_spare_new(void); /* NULL: there is none */
/* No context may be left. NULL is fine. */
void vgpu_render_spare_free(struct vgpu_render_spare *spare);

/*
 * Start a process for a new context, or take the spare one. Returns at once;
 * the process gets ready while the first commands wait for it, or is ready:
 * then started() and ready() are called before this returns. If there can be
 * none, lost() may come. @config, the same for all
 * contexts with one spare, is copied but for the fds and the strings, which
 * stay the caller's and outlive the context and the spare.
 *
 * @state: what a successor would go on from, which outlives the context and
 * this process. With NULL there will be none: what does not fit into the
 * socket is kept here then, and sent later. With @state nothing is, for it
 * would be lost: calls return -EAGAIN, and have done nothing.
 */
int vgpu_render_create(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err);
/*
 * Go on with a predecessor's process, which was ready, from its @state, which
 * may have been written by anybody. The context takes nothing until room() has
 * come, and nobody listens to it before vgpu_render_listen().
 */
int vgpu_render_resume(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err);
/* What it was told of, in bytes, and may have mapped. */
struct vgpu_render_told {
	uint64_t shared_bytes;	 /* resources of shared memory */
	uint64_t attached_bytes; /* ... and of device memory, opened */
	uint64_t memory_bytes;	 /* device memory of its own */
};
void vgpu_render_resume_told(struct vgpu_render *render,
			     const struct vgpu_render_told *told);
/* What a predecessor asked for with @token, and was not told of yet. */
int vgpu_render_expect_fence(struct vgpu_render *render,
			     const struct vgpu_render_fence *fence,
			     uint64_t token);
int vgpu_render_expect_export(struct vgpu_render *render, uint32_t resource_id,
			      uint64_t bytes, uint64_t token);
/* All that is expected is known. */
void vgpu_render_listen(struct vgpu_render *render);
/*
 * Whether the process has got what was to be sent with @token, which is not 0.
 * Of a predecessor's that is known once resumed() has come; before it is false.
 */
bool vgpu_render_was_sent(const struct vgpu_render *render, uint64_t token);
/* Kills the process and waits for its end. NULL is fine. */
void vgpu_render_destroy(struct vgpu_render *render);
/*
 * One that a predecessor did not see end, by the number in its state; there is
 * no event loop yet. Kills it; whether it has ended.
 */
bool vgpu_render_end_process(const struct vgpu_render_config *config,
			     uint64_t process);
/*
 * The guest breaks a rule, @fmt says which: kill the process. lost() comes from
 * the event loop, if it has not come yet.
 */
__attribute__((format(printf, 2, 3))) void
vgpu_render_end(struct vgpu_render *render, const char *fmt, ...);
/*
 * From lost() or the last words on: of what kind @why was. A process may lie
 * about its own end.
 */
enum vgpu_loss vgpu_render_loss(const struct vgpu_render *render);
/*
 * What its process says of its end though lost() has not come yet, or NULL: for
 * who is about to destroy it because its program has left. The program may have
 * learnt of the loss first, from the status of its ring. Nothing else that the
 * process said is handled any more.
 */
const char *vgpu_render_last_words(struct vgpu_render *render);
/* Set FATAL in a ring's status, which lies at @offset of @bytes in @fd. */
void vgpu_render_set_fatal(int fd, uint64_t bytes, uint64_t offset);

/*
 * These are carried out in order. They return 0; -EAGAIN, see
 * vgpu_render_create(); -ENOBUFS if the guest has sent much more than its
 * context takes in, after which the context is lost (lost() comes from the
 * event loop); -EPIPE if it is lost already.
 *
 * *token, in the state, becomes a number by which a successor can tell whether
 * the process has got it; 0 if it is not sent. NULL where there is no state.
 */
/* Of @bytes (or none), and then @fence, if it is not NULL. */
int vgpu_render_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes, const struct vgpu_render_fence *fence,
		       uint64_t *token);
/* @bytes of shared memory in @fd (duplicated), or with -1 of device memory. */
int vgpu_render_resource_add(struct vgpu_render *render, uint32_t resource_id,
			     int fd, uint64_t bytes, uint64_t *token);
/* The same. @bytes that it may have mapped: 0 of memory that it never opened. */
int vgpu_render_resource_remove(struct vgpu_render *render, uint32_t resource_id,
				bool is_memory, uint64_t bytes);
int vgpu_render_export(struct vgpu_render *render, uint64_t memory_id,
		       uint32_t resource_id, uint64_t bytes, uint64_t *token);

#endif
