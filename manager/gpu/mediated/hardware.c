/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs with memory of their own, by their Vulkan drivers. */
#include "hardware.h"

#include "lib/util.h"
#include "manager/device/fd_store.h"
#include "mediated.h"

#define HOST_PART 8

/*
 * A device process counts what its contexts take on the GPU and of the host's
 * memory, and has no segments that were made before.
 */
static int hardware_take(struct vgpu_gpu *gpu, uint64_t size,
			 struct vgpu_fd_store *store)
{
	return 0;
}

static void hardware_adopt(struct vgpu_gpu *gpu, uint64_t size)
{
}

static void hardware_give(struct vgpu_gpu *gpu, uint64_t size,
			  struct vgpu_fd_store *store)
{
}

static bool hardware_is_whole(struct vgpu_gpu *gpu, uint64_t size,
			      const struct vgpu_fd_store *store)
{
	return vgpu_fd_store_count_segments(store) == 0;
}

static uint64_t hardware_ready(struct vgpu_gpu *gpu)
{
	return gpu->framebuffer.size - gpu->framebuffer.host_reserve;
}

static bool hardware_is_short(struct vgpu_gpu *gpu)
{
	return false;
}

static int hardware_start(struct vgpu_gpu *gpu)
{
	return 0;
}

static void hardware_finish(struct vgpu_gpu *gpu)
{
}

static const struct vgpu_memory_ops hardware_memory = {
	.take = hardware_take,
	.adopt = hardware_adopt,
	.give = hardware_give,
	.is_whole = hardware_is_whole,
	.ready = hardware_ready,
	.is_short = hardware_is_short,
	.start = hardware_start,
	.finish = hardware_finish,
};

bool vgpu_hardware_can_be(const struct vgpu_gpu *gpu)
{
	return !gpu->is_software && !gpu->ops && gpu->memory_import[0] &&
	       !gpu->unusable[0];
}

void vgpu_hardware_init(struct vgpu_gpu *gpu)
{
	uint64_t size = gpu->memory_mib * VGPU_MIB;

	gpu->framebuffer = (struct vgpu_framebuffer){
		.size = size,
		.host_reserve = vgpu_align_up(size / HOST_PART, VGPU_MIB),
		.alignment = VGPU_MIB,
	};
	gpu->memory = &hardware_memory;
	gpu->ops = &vgpu_mediated_ops;
}
