/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RESOURCE_UNREF and RESOURCE_ASSIGN_UUID, which apply to all kinds of
 * resources.
 */
#include "device/gpu/internal.h"

#include <string.h>

#include "device/gpu/context/context.h"
#include "device/gpu/display/display.h"
#include "device/gpu/memory/memory.h"

uint32_t vgpu_gpu_resource_unref(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call)
{
	uint32_t slot = vgpu_gpu_slot_find(gpu, call->only.resource_id);
	uint32_t answer;

	if (slot == VGPU_GPU_NO_SLOT)
		return call->is_retry && call->only.resource_id != 0
			       ? VGPU_GPU_OK_NODATA
			       : VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	vgpu_gpu_scanouts_forget(gpu, call->only.resource_id);
	answer = vgpu_gpu_contexts_leave(gpu, call, slot);
	if (answer != VGPU_GPU_OK_NODATA)
		return answer;
	/*
	 * Unmap it before its memory is used again: another owner's must not
	 * appear there.
	 */
	if (gpu->state->resource[slot].window)
		return vgpu_gpu_window_leave(gpu, call, slot);
	vgpu_gpu_slot_drop(gpu, slot);
	return VGPU_GPU_OK_NODATA;
}

uint32_t vgpu_gpu_resource_assign_uuid(struct vgpu_gpu *gpu,
				       struct vgpu_gpu_call *call)
{
	struct vgpu_gpu_state_resource *resource;

	resource = vgpu_gpu_resource_find(gpu, call->only.resource_id);
	if (!resource)
		return VGPU_GPU_ERR_INVALID_RESOURCE_ID;
	if (!resource->has_uuid) {
		uint64_t number = ++gpu->last_uuid;
		uint8_t *uuid = resource->uuid;

		memcpy(uuid, gpu->uuid_base, sizeof(resource->uuid));
		for (size_t i = 0; i < sizeof(number); i++)
			uuid[sizeof(resource->uuid) - 1 - i] ^=
				(uint8_t)(number >> 8 * i);
		/* Version 4, variant of RFC 9562. */
		uuid[6] = (uuid[6] & 0x0f) | 0x40;
		uuid[8] = (uuid[8] & 0x3f) | 0x80;
		vgpu_gpu_commit(&resource->has_uuid, 1u);
	}
	memcpy(call->answer.uuid.uuid, resource->uuid, sizeof(resource->uuid));
	return VGPU_GPU_OK_RESOURCE_UUID;
}
