/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Channel ids: the core driver's own ones, and a range for each vGPU. */
#ifndef VGPU_KERNEL_CORE_PURE_CHID_H
#define VGPU_KERNEL_CORE_PURE_CHID_H

#include "port.h"

#define VGPU_CHIDS_MAX	2048 /* the GPU's, of all its runlists */
#define VGPU_CHID_WORDS (VGPU_CHIDS_MAX / 64)

/*
 * Ids 0 to own - 1 are the core driver's and are given one by one; vGPUs have
 * ranges of the others. Where the hardware wants it, a range is a power of two
 * long and begins at a multiple of its length.
 */
struct vgpu_chids {
	u32 total;
	u32 own;
	bool is_power_of_2;
	u32 used_by_vgpus;
	u32 used_by_core;
	u64 used[VGPU_CHID_WORDS];
	u64 first[VGPU_CHID_WORDS]; /* where a range or a single one begins */
};

int vgpu_chids_init(struct vgpu_chids *chids, u32 total, u32 own,
		    bool is_power_of_2);

/*
 * The length of a range of which each of @vgpus can have one at a time; 0 where
 * there is not one id for each.
 */
u32 vgpu_chids_share(const struct vgpu_chids *chids, u32 vgpus);

/*
 * Allocate the ids @first to @first + @count - 1. -EINVAL: the hardware has no
 * such range, or it is not all of vGPUs; -EBUSY: some are in use.
 */
int vgpu_chids_alloc_at(struct vgpu_chids *chids, u32 first, u32 count);

/* One id of the core driver's. */
int vgpu_chids_alloc_own(struct vgpu_chids *chids, u32 *ret_id);

/* Free what begins at @first; -ENOENT: nothing does. */
int vgpu_chids_free(struct vgpu_chids *chids, u32 first);

#endif
