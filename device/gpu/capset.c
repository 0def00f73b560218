/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capability sets: those of venus and gfxstream, if there is a renderer. */
#include "device/gpu/internal.h"

#include <string.h>

#include "render/gfxstream/capset.h"

static_assert(sizeof(struct vgpu_gfx_capset) <= VGPU_GPU_CAPSET_BYTES,
	      "room for a capset");

/* By index: a guest that takes the first finds venus'. */
static const uint32_t ids[] = {VGPU_GPU_CAPSET_VENUS, VGPU_GPU_CAPSET_GFXSTREAM};

uint32_t vgpu_gpu_count_capsets(const struct vgpu_gpu *gpu)
{
	if (!gpu->config.render)
		return 0;
	return gpu->config.has_gfxstream ? 2 : 1;
}

uint32_t vgpu_gpu_get_capset_info(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_answer_capset_info *info = &call->answer.capset_info;
	uint32_t index = call->get_capset_info.capset_index;

	if (index >= vgpu_gpu_count_capsets(gpu))
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	info->capset_id = ids[index];
	info->max_version = 0;
	info->max_bytes = VGPU_GPU_CAPSET_BYTES;
	return VGPU_GPU_OK_CAPSET_INFO;
}

static bool has_capset(const struct vgpu_gpu *gpu, uint32_t id)
{
	for (uint32_t i = 0; i < vgpu_gpu_count_capsets(gpu); i++)
		if (ids[i] == id)
			return true;
	return false;
}

uint32_t vgpu_gpu_get_capset(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	static const struct vgpu_gfx_capset gfxstream = VGPU_GFX_CAPSET;
	uint8_t *data = call->answer.capset.data;

	if (!has_capset(gpu, call->get_capset.capset_id) ||
	    call->get_capset.capset_version > 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	if (call->get_capset.capset_id == VGPU_GPU_CAPSET_GFXSTREAM)
		memcpy(data, &gfxstream, sizeof(gfxstream));
	else
		memcpy(data, gpu->config.capset, VGPU_GPU_CAPSET_BYTES);
	return VGPU_GPU_OK_CAPSET;
}
