/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel of nouveau's own for vGPUs' framebuffer, on a copy engine. */
#ifndef VGPU_KERNEL_NOUVEAU_COPIER_H
#define VGPU_KERNEL_NOUVEAU_COPIER_H

#include <linux/mutex.h>
#include <nvif/object.h>

struct nouveau_bo;
struct nouveau_channel;
struct nouveau_drm;
struct nouveau_vma;

/* Not the one by which nouveau moves buffers: a scrub may take seconds. */
struct nouveau_vgpu_copier {
	struct nouveau_drm *drm;
	struct mutex lock; /* protects all of it: one job at a time */
	struct nouveau_channel *channel; /* NULL: not made yet */
	struct nvif_object object;
	struct nouveau_bo *buffer; /* what is copied, in the CPU's memory */
	struct nouveau_vma *vma;
};

void nouveau_vgpu_copier_init(struct nouveau_vgpu_copier *copier,
			      struct nouveau_drm *drm);
void nouveau_vgpu_copier_finish(struct nouveau_vgpu_copier *copier);

/* Errors are those of struct vgpu_core_ops' scrub() and copy(). */
int nouveau_vgpu_copier_scrub(struct nouveau_vgpu_copier *copier, u64 offset,
			      u64 bytes);
int nouveau_vgpu_copier_copy(struct nouveau_vgpu_copier *copier, u64 offset,
			     u8 *data, u32 bytes, bool is_to_fb);

#endif
