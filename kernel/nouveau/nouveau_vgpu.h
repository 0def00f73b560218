/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nouveau exports to vgpu_nouveau, and is told by it. */
#ifndef VGPU_KERNEL_NOUVEAU_NOUVEAU_VGPU_H
#define VGPU_KERNEL_NOUVEAU_NOUVEAU_VGPU_H

#include <linux/pci.h>
#include <linux/types.h>

/* A GPU that nouveau drives, whose firmware serves vGPUs. */
struct nouveau_vgpu;

/* The event of a firmware that is out of order: once, without payload. */
#define NOUVEAU_VGPU_WEDGED 0

struct nouveau_vgpu_driver {
	/*
	 * A GPU is there; @ret_owner is set before it is opened. After an error
	 * it is nouveau's alone.
	 */
	int (*attach)(struct nouveau_vgpu *gpu, void **ret_owner);
	/* It is let go. True: somebody has a VF open still. */
	bool (*detach)(void *owner);
	/* VFs: before they are disabled (-EBUSY: one is open), and afterwards. */
	int (*prepare_vfs)(void *owner);
	void (*vfs_changed)(void *owner);
	/* Whoever receives it may not ask the GPU anything. */
	void (*handle_event)(void *owner, u32 event, const u8 *payload,
			     u32 bytes);
};

/* There is one driver. Unregistering lets all GPUs go. */
int nouveau_vgpu_register(const struct nouveau_vgpu_driver *driver);
void nouveau_vgpu_unregister(const struct nouveau_vgpu_driver *driver);

/* Which chip it is, and what is nouveau's own: framebuffer below an end, channel ids. */
struct nouveau_vgpu_host {
	const char *chip;
	u64 fb_end;
	u32 chids;
};

struct pci_dev *nouveau_vgpu_pdev(struct nouveau_vgpu *gpu);
void nouveau_vgpu_get_host(struct nouveau_vgpu *gpu,
			   struct nouveau_vgpu_host *ret_host);

/* Before all that follows: events come from then on. And when all is done. */
int nouveau_vgpu_open(struct nouveau_vgpu *gpu);
void nouveau_vgpu_close(struct nouveau_vgpu *gpu);

/*
 * A control, of the firmware's own subdevice if @is_internal; 0: the firmware
 * has answered, with @ret_status. -ENODEV: it is out of order; -ENOMEM: it was
 * not asked; after any other error it may have done it.
 */
int nouveau_vgpu_control(struct nouveau_vgpu *gpu, bool is_internal,
			 u32 command, void *params, u32 bytes, u32 *ret_status);
int nouveau_vgpu_read_static_info(struct nouveau_vgpu *gpu, void *out, u32 bytes);

/*
 * Windows of BAR1, once and before the host's programs use it up. Each can show
 * @bytes of the framebuffer, or less; numbers are multiples of 4 KiB.
 */
int nouveau_vgpu_make_windows(struct nouveau_vgpu *gpu, u32 count, u64 bytes);
/* -ENOSPC: all of them show something. */
int nouveau_vgpu_map(struct nouveau_vgpu *gpu, u64 offset, u64 bytes,
		     void __iomem **ret_memory);
void nouveau_vgpu_unmap(struct nouveau_vgpu *gpu, void __iomem *memory);

/* By a copy engine: zeros, or between framebuffer and memory. */
int nouveau_vgpu_scrub(struct nouveau_vgpu *gpu, u64 offset, u64 bytes);
int nouveau_vgpu_copy(struct nouveau_vgpu *gpu, u64 offset, void *data,
		      u32 bytes, bool is_to_fb);

void nouveau_vgpu_write_register(struct nouveau_vgpu *gpu, u32 offset, u32 value);

/* Whether anybody has its DRM device open. */
bool nouveau_vgpu_is_in_use(struct nouveau_vgpu *gpu);

/* A static text; NULL: it is not out of order. */
const char *nouveau_vgpu_why_wedged(struct nouveau_vgpu *gpu);
/* @why is a static text. */
void nouveau_vgpu_wedge(struct nouveau_vgpu *gpu, const char *why);

#endif
