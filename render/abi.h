/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes between vgpu-device and the vgpu-render of one guest context. */
#ifndef VGPU_RENDER_ABI_H
#define VGPU_RENDER_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * Two SOCK_SEQPACKET socket pairs, which the render process finds at these
 * fds. Each packet is one struct vgpu_render_message, then what its type says.
 *
 * On COMMAND both sides send when they like. What the device sends is handled
 * in order by the context's own thread; commands in it may wait for a ring, so
 * the device never waits for an answer there.
 *
 * On MEMORY the render process asks and the device answers at once, one
 * question at a time. Both have the question's number in @id.
 *
 * A device process may die, and another go on with the same sockets. What was
 * in them still is, and both sides can tell what the dead one had got done:
 *
 *   - The device numbers what it sends on COMMAND: @seq grows with each
 *     message, with gaps. RESUME asks for the last one that came.
 *   - The device takes a message from a socket only when it has done all that
 *     it says, so its successor may find one that was handled already. An
 *     answer on MEMORY may come twice: the number tells.
 */
#define VGPU_RENDER_FD_COMMAND 3
#define VGPU_RENDER_FD_MEMORY  4
/* A directory with nothing in it, its root once the driver is open; or none. */
#define VGPU_RENDER_FD_ROOT 5
/* A file for what it is told (VGPU_RECORD_DIR); or none. */
#define VGPU_RENDER_FD_RECORD 6
/* A socket for the listener of its seccomp filter; or none. */
#define VGPU_RENDER_FD_CALLS 7

/* Its exit status after abort(). */
#define VGPU_RENDER_EXIT_ABORT 134

/* Commands in a packet; more than that travel in a memfd. */
#define VGPU_RENDER_INLINE_MAX (64UL * 1024)
#define VGPU_RENDER_FDS_MAX    4 /* in one packet */
#define VGPU_RENDER_TEXT_MAX   200
/* Memfds of its driver that a process may have. */
#define VGPU_RENDER_FILES_MAX 4
/* Timelines of a context: 0 is the CPU's, the others are queues'. */
#define VGPU_RENDER_TIMELINES 64
#define VGPU_RENDER_RINGS_MAX 64

/* In a ring's status (VkRingStatusFlagBitsMESA): nobody serves it any more. */
#define VGPU_RENDER_RING_STATUS_FATAL 2u

/* How a guest's driver sends Vulkan commands: the numbers of capsets. */
enum vgpu_render_wire {
	VGPU_RENDER_WIRE_GFXSTREAM = 3,
	VGPU_RENDER_WIRE_VENUS = 4,
};

enum vgpu_render_type {
	/* COMMAND, from the device */
	/*
	 * The first one. @bytes of framebuffer; uuid[16] of the physical GPU
	 * (VkPhysicalDeviceIDProperties::deviceUUID) follows, all zero for the
	 * embedded one. @offset: what it may take of the host's memory until
	 * it is told more (0: no limit), to which it holds itself. On a
	 * hardware GPU the memfd of a struct vgpu_gpu_time comes along.
	 * @n: its wire, unless it is a spare.
	 */
	VGPU_RENDER_START = 1,
	/*
	 * @bytes of commands follow, or lie at the beginning of the fd: then
	 * TAKEN is the answer once they are copied. With FENCE in @flags, a
	 * FENCE of @ring_idx and @id comes after them.
	 */
	VGPU_RENDER_SUBMIT,
	/*
	 * @resource_id can be named from now on: @bytes, with fd: shared
	 * memory for rings, streams and replies; without: device memory, to be
	 * had by OPEN.
	 */
	VGPU_RENDER_RESOURCE_ADD,
	VGPU_RENDER_RESOURCE_REMOVE, /* @resource_id */
	/*
	 * The guest wants the VkDeviceMemory with object id @id as resource
	 * @resource_id, @bytes of it. Answered by EXPORTED.
	 */
	VGPU_RENDER_EXPORT,
	/* Say FENCE_DONE when all before it on timeline @ring_idx is done. */
	VGPU_RENDER_FENCE,
	/* A context has it from now on, of wire @n: it was a spare till then. */
	VGPU_RENDER_TAKE,
	/* Another device process begins. Answered by RESUMED. */
	VGPU_RENDER_RESUME,

	/* COMMAND, from the render process */
	/*
	 * It has opened all that it ever will: the memfds that come along are
	 * all it has. @bytes of its address space are no memory of its own. @n:
	 * a bit for each layer of the sandbox (sandbox/report.h) that the
	 * kernel does not give.
	 */
	VGPU_RENDER_READY = 32,
	/*
	 * For @resource_id: @status 0 or an errno; the ALLOC's @offset, which
	 * names the memory (see there), @bytes that may be mapped.
	 */
	VGPU_RENDER_EXPORTED,
	VGPU_RENDER_FENCE_DONE, /* @ring_idx, @id */
	/*
	 * The context is at an end: @bytes of text say why, @n is an enum
	 * vgpu_loss (lib/figures.h). It exits.
	 */
	VGPU_RENDER_FATAL,
	/*
	 * A ring has its status word at @offset of @resource_id; @n is 1 once
	 * it is there, 0 when it goes. The device sets FATAL there when the
	 * process has ended without having done so.
	 */
	VGPU_RENDER_RING,
	VGPU_RENDER_TAKEN, /* @id: @seq of the SUBMIT */
	/* @id: @seq of the RESUME; @offset: that of the message before it, or 0 */
	VGPU_RENDER_RESUMED,

	/* MEMORY, questions; the answer has the same type */
	/*
	 * @bytes, a multiple of 4096, charged to the vGPU's framebuffer.
	 * Answer: @status (ENOMEM past the quota), and @offset, which names
	 * it. A file of @bytes zeros comes along. CHARGE: no memory, only the
	 * charge.
	 */
	VGPU_RENDER_ALLOC = 64,
	VGPU_RENDER_FREE, /* @offset, as ALLOC gave it */
	/*
	 * The file of @resource_id, which is device memory that it was told of
	 * (RESOURCE_ADD), of @bytes. Answer: @status, and the fd.
	 */
	VGPU_RENDER_OPEN,
};

#define VGPU_RENDER_FLAG_CHARGE (1U << 1) /* question ALLOC */
#define VGPU_RENDER_FLAG_SPARE	(1U << 2) /* START: no context has it yet */
/* START: all that the driver maps is its own, see device/render/host_memory.h */
#define VGPU_RENDER_FLAG_SOFTWARE (1U << 3)
#define VGPU_RENDER_FLAG_FENCE	  (1U << 4) /* SUBMIT */
/* Questions ALLOC and OPEN: the fd is to be a dma-buf of the file. */
#define VGPU_RENDER_FLAG_DMABUF (1U << 5)

struct vgpu_render_message {
	uint32_t type;
	uint32_t status; /* errno */
	uint32_t resource_id;
	uint32_t ring_idx;
	uint64_t id; /* of a fence, an object, or a question */
	uint64_t offset;
	uint64_t bytes;
	uint32_t n;
	uint32_t flags;
	uint64_t seq; /* on COMMAND, from the device; else 0 */
};

static_assert(sizeof(struct vgpu_render_message) == 56, "message size");

#endif
