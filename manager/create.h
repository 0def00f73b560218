/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and unmaking vGPUs, and bringing back those that are defined. */
#ifndef VGPU_MANAGER_CREATE_H
#define VGPU_MANAGER_CREATE_H

#include <systemd/sd-varlink.h>

#include "manager.h"

struct vgpu_create_request {
	const char *type;
	const char *gpu;    /* NULL: any where it fits */
	const char *name;   /* NULL: none */
	const char *uuid;   /* NULL: a random one */
	uint32_t placement; /* VGPU_PLACEMENT_ANY: where it suits best */
};

/*
 * Make a vGPU and answer @link when it is active, or failed. Fails with
 * nothing answered and nothing left if it cannot begin. *ret_gpu is the
 * GPU that was chosen, if one was, also where err is "NoRoom".
 */
int vgpu_create(struct vgpu_manager *manager,
		const struct vgpu_create_request *request, sd_varlink *link,
		struct vgpu_gpu **ret_gpu, struct vgpu_err *err);
/* End one and answer @link when it is gone. Fails with nothing answered. */
int vgpu_destroy(struct vgpu_manager *manager, const char *uuid_or_name,
		 bool force, sd_varlink *link, struct vgpu_err *err);

/* Creations that wait for memory of @gpu, which is short of it, fail. */
void vgpu_create_fail_waiting(struct vgpu_manager *manager, struct vgpu_gpu *gpu);

/* At the start: every definition becomes a vGPU again. load.c */
int vgpu_load(struct vgpu_manager *manager);
/* After new types: begin what failed for want of its type. load.c */
void vgpu_load_retry(struct vgpu_manager *manager);

#endif
