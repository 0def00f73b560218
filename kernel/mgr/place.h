/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where on the GPU a vGPU of a type can be: the rules of placement. */
#ifndef VGPU_KERNEL_MGR_PLACE_H
#define VGPU_KERNEL_MGR_PLACE_H

#include "kernel/core/pure/chid.h"
#include "kernel/core/pure/fb.h"
#include "types.h"

/*
 * Homogeneous: all vGPUs have the same size, whatever their class; places lie
 * one after the other.
 *
 * Heterogeneous: sizes mix. The GPU is halved again and again, down to
 * sixteenths. Where exactly 2n of a type fill the GPU, n being a power of two,
 * each nth part has one at both of its ends; otherwise each of as many parts as
 * there are vGPUs of the type, rounded down to such a power, has one at its
 * outer end. Channel ids and the tasks' heaps are halved just as the memory is.
 *
 * Which places there are is NVIDIA's rule (OGK src/nvidia/src/kernel/
 * virtualization/kernel_vgpu_mgr.c, tag 570.144), so that ids mean what its
 * tools say; where they lie in memory is ours.
 */
enum vgpu_place_mode {
	VGPU_PLACE_HOMOGENEOUS,
	VGPU_PLACE_HETEROGENEOUS,
};

/* What there is to place on. Callers hold the lock of all three allocators. */
struct vgpu_place_gpu {
	struct vgpu_fb *fb;
	struct vgpu_fb *heaps;
	struct vgpu_chids *chids;
	u64 fb_start; /* [start, end) is whole units, and all for vGPUs */
	u64 fb_end;
	u32 gib; /* of the whole board: what ids count */
};

struct vgpu_place {
	u32 id; /* in GiB */
	u32 first_chid;
	u32 chids;
	u64 fb_start;
	u64 fb_bytes;
	u64 heap_start;
	u64 heap_bytes;
};

#define VGPU_PLACE_AUTO U32_MAX

/*
 * The framebuffer of every vGPU of @type on this GPU; 0 if the GPU is too small
 * for it.
 */
u64 vgpu_place_fb_bytes(const struct vgpu_place_gpu *gpu,
			const struct vgpu_type *type);

/* The @index'th place of @type, free or not. -ENOENT: it has no more. */
int vgpu_place_get(const struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
		   const struct vgpu_type *type, u32 index,
		   struct vgpu_place *ret_place);

/*
 * Take place @id of @type, or the first free one for VGPU_PLACE_AUTO: its
 * framebuffer, heap and channels. -EINVAL: @type has no such place; -ENOSPC: it
 * is not free, or none is; nothing is taken then.
 */
int vgpu_place_take(struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
		    const struct vgpu_type *type, u32 id,
		    struct vgpu_place *ret_place);

/*
 * Give back what was taken. Where the memory may hold a guest's data, or a task
 * may still use it, memory and channels are quarantined instead.
 */
void vgpu_place_free(struct vgpu_place_gpu *gpu, const struct vgpu_place *place,
		     bool is_scrubbed);
/* Give back what was quarantined. */
void vgpu_place_scrubbed(struct vgpu_place_gpu *gpu,
			 const struct vgpu_place *place);

/* How often VGPU_PLACE_AUTO would succeed in a row. */
u32 vgpu_place_available(struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
			 const struct vgpu_type *type);

#endif
