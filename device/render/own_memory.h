/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device memory where there is no VM: a memfd for each allocation. */
#ifndef VGPU_DEVICE_RENDER_OWN_MEMORY_H
#define VGPU_DEVICE_RENDER_OWN_MEMORY_H

#include "device/render/fd_share.h"
#include "device/render/freed.h"
#include "device/render/render.h"
#include "device/render/reserve.h"

/*
 * Allocations of one vGPU, each a file and so an fd of ours; Vulkan lets a
 * driver count them, and ours to the guest is as small as this.
 */
#define VGPU_OWN_MEMORY_ALLOCATIONS_MAX 16384U

struct vgpu_own_memory;

/* What @context's files count to, NULL if it may have none. It outlives it. */
typedef struct vgpu_fd_share *
vgpu_own_memory_fds(void *opaque, const struct vgpu_render *context);

/*
 * All contexts together get @quota_bytes, in exchange for pages of @reserve,
 * which outlives it; NULL: whatever the machine has. @has_dmabufs: dma-bufs may
 * be made of its files.
 */
int vgpu_own_memory_create(uint64_t quota_bytes, struct vgpu_reserve *reserve,
			   bool has_dmabufs, vgpu_own_memory_fds *find_fds,
			   void *opaque, struct vgpu_own_memory **ret_memory);
/* No context may be left. NULL is fine. */
void vgpu_own_memory_destroy(struct vgpu_own_memory *memory);

uint64_t vgpu_own_memory_used(const struct vgpu_own_memory *memory);

/* Its opaque is a struct vgpu_own_memory. */
extern const struct vgpu_render_memory_ops vgpu_own_memory_ops;

/*
 * The file of @context's allocation @offset, if it has at least @bytes, to be
 * given to its program; the fd stays the memory's. -EINVAL if there is no such
 * allocation.
 */
int vgpu_own_memory_give(struct vgpu_own_memory *memory,
			 const struct vgpu_render *context, uint64_t offset,
			 uint64_t bytes);

/*
 * A sealed memfd of @bytes whose size nobody can change any more, or -errno. It
 * has no pages yet.
 */
int vgpu_sealed_memfd(const char *name, uint64_t bytes);
/*
 * The same for memory that we take back while others may map it. Whoever has
 * the file can make it smaller, too, so we map none ourselves.
 */
int vgpu_lent_memfd(const char *name, uint64_t bytes);
/*
 * Take the pages back, whoever else still has the file, and close it. Who
 * touches a mapping of it from then on gets SIGBUS. -1 is fine.
 */
void vgpu_lent_memfd_revoke(int fd);

#endif
