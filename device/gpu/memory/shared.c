/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that contexts' processes and the guest share: rings, streams, replies. */
#include "device/gpu/memory/memory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "device/render/host_memory.h"
#include "device/render/launcher.h"
#include "device/render/own_memory.h"
#include "lib/type.h"

void vgpu_gpu_shared_drop(struct vgpu_gpu *gpu, uint32_t slot)
{
	int fd = gpu->slot[slot].shared_plus_1 - 1;
	uint64_t bytes;

	/*
	 * Do not touch the state of slots that were never used: that would
	 * allocate pages.
	 */
	if (fd < 0)
		return;
	bytes = gpu->state->resource[slot].bytes;
	gpu->shared_bytes -= bytes;
	vgpu_host_memory_uncharge(gpu->config.render->host_memory, bytes);
	vgpu_launcher_drop(gpu->config.launcher, slot);
	vgpu_close(fd);
	gpu->slot[slot].shared_plus_1 = 0;
}

/* Whether @fd is what the resource was made with, and can be charged for it. */
static bool resume_shared(struct vgpu_gpu *gpu,
			  const struct vgpu_gpu_state_resource *resource, int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_ino != resource->storage ||
	    (uint64_t)st.st_size != resource->bytes ||
	    (fcntl(fd, F_GET_SEALS) & seals) != seals ||
	    resource->bytes > VGPU_SHARED_MEMORY_MAX - gpu->shared_bytes ||
	    !vgpu_host_memory_charge(gpu->config.render->host_memory,
				     resource->bytes))
		return false;
	gpu->shared_bytes += resource->bytes;
	return true;
}

/* The kept file does not match the resource, which loses its memory. */
static void forget_shared(struct vgpu_gpu *gpu, uint32_t slot, int fd)
{
	vgpu_launcher_drop(gpu->config.launcher, slot);
	vgpu_close(fd);
}

void vgpu_gpu_shared_resume(struct vgpu_gpu *gpu)
{
	vgpu_autofree uint32_t *slot = NULL;
	vgpu_autofree int *fd = NULL;
	size_t n = 0;

	if (!gpu->config.render)
		return;
	slot = calloc(VGPU_GPU_RESOURCES_MAX, sizeof(*slot));
	fd = calloc(VGPU_GPU_RESOURCES_MAX, sizeof(*fd));
	if (!slot || !fd)
		return; /* it is as if nobody had kept it */
	for (uint32_t i = 0; i < gpu->state->slots_used; i++)
		if (gpu->state->resource[i].id &&
		    gpu->state->resource[i].kind == VGPU_GPU_KIND_SHARED)
			slot[n++] = i;
	vgpu_launcher_fetch(gpu->config.launcher, slot, fd, n);
	for (size_t i = 0; i < n; i++) {
		if (resume_shared(gpu, &gpu->state->resource[slot[i]], fd[i]))
			gpu->slot[slot[i]].shared_plus_1 = fd[i] + 1;
		else
			forget_shared(gpu, slot[i], fd[i]);
	}
}

int vgpu_gpu_resource_fd(const struct vgpu_gpu *gpu, uint32_t slot)
{
	const struct vgpu_gpu_state_resource *resource;

	resource = &gpu->state->resource[slot];
	return resource->kind == VGPU_GPU_KIND_MEMORY
		       ? vgpu_gpu_storage_fd(gpu, resource->storage)
		       : gpu->slot[slot].shared_plus_1 - 1;
}

static uint64_t inode_of(const struct vgpu_gpu *gpu,
			 const struct vgpu_gpu_state_resource *resource)
{
	if (!resource->id)
		return 0;
	if (resource->kind == VGPU_GPU_KIND_SHARED)
		return resource->storage;
	return resource->kind == VGPU_GPU_KIND_MEMORY
		       ? gpu->state->allocation[resource->storage - 1].inode
		       : 0;
}

bool vgpu_gpu_shares(const struct vgpu_gpu *gpu, uint64_t inode)
{
	for (uint32_t slot = 0; inode && slot < gpu->state->slots_used; slot++)
		if (inode_of(gpu, &gpu->state->resource[slot]) == inode)
			return true;
	return false;
}
