/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts, and the blobs that they and the guest make. */
#ifndef VGPU_DEVICE_GPU_CONTEXT_CONTEXT_H
#define VGPU_DEVICE_GPU_CONTEXT_CONTEXT_H

#include "device/gpu/core/request.h"

/* Commands of one SUBMIT_3D: what a chain of pages can carry. */
#define VGPU_GPU_SUBMIT_MAX (4u << 20)

/* context.c */
extern const struct vgpu_gpu_context_ops vgpu_gpu_context_ops;
vgpu_gpu_handler vgpu_gpu_ctx_create, vgpu_gpu_ctx_destroy,
	vgpu_gpu_ctx_attach_resource, vgpu_gpu_ctx_detach_resource,
	vgpu_gpu_submit_3d;
/*
 * The process of @call's context. NULL with *ret_answer if there is no such
 * context, or its process is lost, which is not @call's fault.
 */
struct vgpu_render *vgpu_gpu_context_render(struct vgpu_gpu *gpu,
					    struct vgpu_gpu_call *call,
					    uint32_t *ret_answer);
/* The socket to its process is full: handle @call again when it has room. */
uint32_t vgpu_gpu_context_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/*
 * Tell all contexts' processes that the resource in @slot is removed:
 * OK_NODATA, or LATER if one cannot be told yet.
 */
uint32_t vgpu_gpu_contexts_leave(struct vgpu_gpu *gpu,
				 struct vgpu_gpu_call *call, uint32_t slot);
void vgpu_gpu_contexts_clear(struct vgpu_gpu *gpu);
/* How many there are that are not lost. */
uint32_t vgpu_gpu_contexts_alive(const struct vgpu_gpu *gpu);
/* Take over the contexts of a predecessor, including lost ones. */
void vgpu_gpu_contexts_resume(struct vgpu_gpu *gpu);
/*
 * ... and, once the resources are resumed, what their processes know of them.
 */
void vgpu_gpu_contexts_resume_resources(struct vgpu_gpu *gpu);
/*
 * Whether a predecessor sent @call to its context's process: then it waits for
 * that, or is answered.
 */
bool vgpu_gpu_context_retake(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/* The index of the context with that id, plus 1; 0: there is none. */
uint32_t vgpu_gpu_context_program(struct vgpu_gpu *gpu, uint32_t id);
/*
 * The index of the context that @render belongs to; NO_SLOT if there is none.
 */
uint32_t vgpu_gpu_context_index(const struct vgpu_gpu *gpu,
				const struct vgpu_render *render);

/* blob.c */
vgpu_gpu_handler vgpu_gpu_resource_create_blob;
void vgpu_gpu_finish_export(struct vgpu_gpu *gpu, uint32_t context,
			    const struct vgpu_render *render,
			    uint32_t resource_id, int status, uint64_t number,
			    uint64_t bytes);

#endif
