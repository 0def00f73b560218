/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to requests, and what the guest is to blame for. */
#include "device/gpu/core/request.h"

#include <stdio.h>

static const char *answer_name(uint32_t answer)
{
	switch (answer) {
	case VGPU_GPU_ERR_OUT_OF_MEMORY:
		return "out of memory";
	case VGPU_GPU_ERR_INVALID_SCANOUT_ID:
		return "no such scanout";
	case VGPU_GPU_ERR_INVALID_RESOURCE_ID:
		return "no such resource, or it exists";
	case VGPU_GPU_ERR_INVALID_CONTEXT_ID:
		return "no such context";
	case VGPU_GPU_ERR_INVALID_PARAMETER:
		return "bad parameter";
	default:
		return "cannot be done";
	}
}

static void report_fault(struct vgpu_gpu *gpu, const char *name, uint32_t type,
			 const char *why)
{
	char text[128];

	snprintf(text, sizeof(text), "%s (0x%x): %s", name, type, why);
	gpu->ops->guest_fault(gpu->opaque, text);
}

static_assert(VGPU_GPU_ERR_INVALID_PARAMETER - VGPU_GPU_ERR_UNSPEC ==
		      VGPU_REFUSAL_PARAMETER,
	      "refusals are in the order of virtio-gpu's errors");

static size_t write_answer(struct vgpu_gpu_call *call, uint32_t answer)
{
	struct vgpu_gpu_header *header = &call->answer.header;
	size_t bytes = sizeof(*header);

	/* Linux and Windows leave none on the cursor queue. */
	if (call->request->writable_bytes < bytes)
		return 0;
	if (answer < VGPU_GPU_ERR_UNSPEC)
		bytes = call->rule->answer_bytes;
	*header = (struct vgpu_gpu_header){.type = answer};
	/* Every command is done when it is answered: so is its fence. */
	if (call->header.flags & VGPU_GPU_FLAG_FENCE) {
		header->flags = VGPU_GPU_FLAG_FENCE;
		header->fence_id = call->header.fence_id;
		header->ctx_id = call->header.ctx_id;
		if (call->header.flags & VGPU_GPU_FLAG_RING_IDX) {
			header->flags |= VGPU_GPU_FLAG_RING_IDX;
			header->ring_idx = call->header.ring_idx;
		}
	}
	return vgpu_gpu_write(call->request->writable,
			      call->request->n_writable, &call->answer, bytes);
}

void vgpu_gpu_end_call(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		       uint32_t answer, const char *why)
{
	size_t written = write_answer(call, answer);

	if (answer >= VGPU_GPU_ERR_UNSPEC) {
		uint32_t refusal = answer - VGPU_GPU_ERR_UNSPEC;

		gpu->state->errors++;
		gpu->figures.refusals[refusal < VGPU_REFUSAL_MAX ? refusal : 0]++;
	}
	if (why)
		report_fault(gpu, call->rule ? call->rule->name : "command",
			     call->header.type, why);
	gpu->ops->status_changed(gpu->opaque);
	gpu->ops->complete(gpu->opaque, call->request, written);
}

void vgpu_gpu_answer(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call,
		     uint32_t answer)
{
	/* To find memory used up is no offence. */
	bool is_offence = answer >= VGPU_GPU_ERR_UNSPEC &&
			  answer != VGPU_GPU_ERR_OUT_OF_MEMORY &&
			  !call->is_blameless;

	vgpu_gpu_end_call(gpu, call, answer,
			  is_offence ? answer_name(answer) : NULL);
}
