/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GPUs of this machine, as vgpu-probe finds them through Vulkan. */
#ifndef VGPU_MANAGER_GPU_INVENTORY_H
#define VGPU_MANAGER_GPU_INVENTORY_H

#include <stddef.h>

#include "gpu.h"
#include "lib/err.h"
#include "manager/host/process.h"

#define VGPU_INVENTORY_MAX 64 /* as many GPUs, at places that stay */

struct vgpu_inventory {
	struct vgpu_gpu *gpus; /* the embedded one first, always there */
	size_t count;
};

/*
 * Run vgpu-probe, for ten seconds at most, and read what it finds. The
 * embedded GPU is listed whatever happens: its vGPUs need no Vulkan. No GPU
 * has a provider yet. If the probe fails *ret_problem (a buffer) says why.
 */
int vgpu_inventory_init(struct vgpu_inventory *ret_inventory,
			char ret_problem[VGPU_ERR_TEXT_MAX]);
void vgpu_inventory_finish(struct vgpu_inventory *inventory);

/* The same in two steps: start vgpu-probe, which prints into *ret_reader ... */
int vgpu_inventory_ask(struct vgpu_process *ret_process, int *ret_reader,
		       struct vgpu_err *err);
/* ... and read what it has printed. */
int vgpu_inventory_read(struct vgpu_inventory *ret_inventory, const char *text,
			struct vgpu_err *err);

/*
 * The one of hardware that is the same as @gpu of another inventory, or NULL:
 * by its Vulkan UUID or, for a driver that was replaced may give it another
 * one, by its PCI address.
 */
struct vgpu_gpu *vgpu_inventory_find_same(const struct vgpu_inventory *inventory,
					  const struct vgpu_gpu *gpu);
/* One more, as another inventory has it; NULL if there is no room. */
struct vgpu_gpu *vgpu_inventory_add_found(struct vgpu_inventory *inventory,
					  const struct vgpu_gpu *found);
/* Let @gpu, which makes no vGPUs yet, be what @found says of it. */
void vgpu_inventory_describe(struct vgpu_gpu *gpu, const struct vgpu_gpu *found);
/* One more, at a PCI address; NULL if there is no room. */
struct vgpu_gpu *vgpu_inventory_add(struct vgpu_inventory *inventory,
				    const char *pci_address);
/* The GPU with that id, as definitions name it; or NULL. */
struct vgpu_gpu *vgpu_inventory_find(const struct vgpu_inventory *inventory,
				     const char *id);
/*
 * The one that a person means: by its id, its PCI address without the domain
 * 0000, its Vulkan UUID, or a name that no other has. NULL: see @err.
 */
struct vgpu_gpu *vgpu_inventory_choose(const struct vgpu_inventory *inventory,
				       const char *text, struct vgpu_err *err);

#endif
