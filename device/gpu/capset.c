/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capability sets: that of venus, if there is a renderer. */
#include "device/gpu/internal.h"

#include <string.h>

uint32_t vgpu_gpu_get_capset_info(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_answer_capset_info *info = &call->answer.capset_info;

	if (!gpu->config.render || call->get_capset_info.capset_index > 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	info->capset_id = VGPU_GPU_CAPSET_VENUS;
	info->max_version = 0;
	info->max_bytes = VGPU_GPU_CAPSET_BYTES;
	return VGPU_GPU_OK_CAPSET_INFO;
}

uint32_t vgpu_gpu_get_capset(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	if (!gpu->config.render ||
	    call->get_capset.capset_id != VGPU_GPU_CAPSET_VENUS ||
	    call->get_capset.capset_version > 0)
		return VGPU_GPU_ERR_INVALID_PARAMETER;
	memcpy(call->answer.capset.data, gpu->config.capset,
	       VGPU_GPU_CAPSET_BYTES);
	return VGPU_GPU_OK_CAPSET;
}
