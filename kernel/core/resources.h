/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vGPUs share of the GPU: framebuffer, channel ids, windows of BAR1. */
#ifndef VGPU_KERNEL_CORE_RESOURCES_H
#define VGPU_KERNEL_CORE_RESOURCES_H

#include <linux/mutex.h>

#include "kernel/core/pure/bar1.h"
#include "kernel/core/pure/chid.h"
#include "kernel/core/pure/fb.h"

struct vgpu_core;

/*
 * They are made when the GPU boots first, and kept until the driver lets it go:
 * across a reset or a sleep, whoever has something of it has it still, though
 * the bytes may be gone; and what is quarantined stays so.
 */
struct vgpu_resources {
	/*
	 * Protects all of this. After gsp_lock; nothing is asked of the GSP
	 * under it.
	 */
	struct mutex lock;
	bool is_made;
	struct vgpu_fb fb; /* of VMMU segments */
	struct vgpu_chids chids;
	struct vgpu_bar1 bar1;

	u64 own_offset;	    /* the core driver's own piece of the framebuffer */
	u64 channel_offset; /* the last part of it is the channel's */
	/* The first part of it: the page tables of BAR1. */
	u32 directories;       /* of 512 MiB each */
	bool has_tables;       /* BAR1 goes by them */
	unsigned long *linked; /* which tables are in use, see bar1_map.c */

	/*
	 * How many vGPUs are open. While there are some the GPU does not sleep;
	 * once nobody may use it any more there are none to come.
	 */
	u32 users;
	bool is_closed;
};

void vgpu_resources_init(struct vgpu_core *core);
void vgpu_resources_finish(struct vgpu_core *core);

/* After each boot, and before the firmware is unloaded. */
int vgpu_resources_start(struct vgpu_core *core);
void vgpu_resources_stop(struct vgpu_core *core);

/* A vGPU is to be opened. -ENODEV: the GPU is wedged, sleeps, or is let go. */
int vgpu_core_get_use(struct vgpu_core *core);
void vgpu_core_put_use(struct vgpu_core *core);

bool vgpu_core_is_used(struct vgpu_core *core);

/* The GPU is let go: no more are opened, and none is open. */
void vgpu_core_end_use(struct vgpu_core *core);

/* No more are opened, whether some are or not. */
void vgpu_core_shut_use(struct vgpu_core *core);

/* No more are opened. -EBUSY: some are open. */
int vgpu_core_close_use(struct vgpu_core *core);
void vgpu_core_reopen_use(struct vgpu_core *core);

/* A part of the framebuffer as the CPU has it, by BAR1. */
struct vgpu_fb_window {
	void __iomem *memory;
	u64 bar1_offset;
	u64 bytes;
};

/*
 * Both are whole multiples of VGPU_BAR1_PAGE_BYTES. The memory is not cached;
 * it stays where it is until it is unmapped, and shows nothing while the GPU is
 * not there. -EINVAL, -EEXIST, -ENOSPC: as vgpu_bar1_open(); -ENODEV: the GPU
 * did not boot; -ENOMEM.
 */
int vgpu_core_map_fb(struct vgpu_core *core, u64 fb_offset, u64 bytes,
		     struct vgpu_fb_window *ret_window);
void vgpu_core_unmap_fb(struct vgpu_core *core, struct vgpu_fb_window *window);

/* bar1_map.c: the tables of BAR1, under the lock. */
u64 vgpu_bar1_tables_bytes(u32 directories);
int vgpu_bar1_start(struct vgpu_core *core);

#endif
