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
/* Its process, or NULL with *ret_answer: there is none of that id, or none
 * any more, for which @call is not to blame. */
struct vgpu_render *vgpu_gpu_context_render(struct vgpu_gpu *gpu,
					    struct vgpu_gpu_call *call,
					    uint32_t *ret_answer);
/* Its process takes nothing more now: @call is handled again when it does. */
uint32_t vgpu_gpu_context_again(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/*
 * Tell all contexts' processes that the resource in @slot goes: OK_NODATA, or
 * LATER if one cannot be told yet.
 */
uint32_t vgpu_gpu_contexts_leave(struct vgpu_gpu *gpu,
				 struct vgpu_gpu_call *call, uint32_t slot);
void vgpu_gpu_contexts_clear(struct vgpu_gpu *gpu);
/* How many there are that are not lost. */
uint32_t vgpu_gpu_contexts_alive(const struct vgpu_gpu *gpu);
/* The contexts of a predecessor, those that are lost included. */
void vgpu_gpu_contexts_resume(struct vgpu_gpu *gpu);
/* ... once the resources are there: what their processes know of these. */
void vgpu_gpu_contexts_resume_resources(struct vgpu_gpu *gpu);
/* @call was handed to its context by a predecessor: wait for what comes of it. */
bool vgpu_gpu_context_retake(struct vgpu_gpu *gpu, struct vgpu_gpu_call *call);
/* The place of the context with that id + 1; 0: there is none. */
uint32_t vgpu_gpu_context_program(struct vgpu_gpu *gpu, uint32_t id);
/* The place of the context that @render is of; NO_SLOT if it is none's. */
uint32_t vgpu_gpu_context_index(const struct vgpu_gpu *gpu,
				const struct vgpu_render *render);

/* blob.c */
vgpu_gpu_handler vgpu_gpu_resource_create_blob;
void vgpu_gpu_exported(struct vgpu_gpu *gpu, uint32_t context,
		       const struct vgpu_render *render, uint32_t resource_id,
		       int status, uint64_t number, uint64_t bytes);

#endif
