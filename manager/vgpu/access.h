/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to sockets: the manager's is open to the managers' group and to every
 * owner of a vGPU, a vGPU's to its owner. What they may call: api/rights.h.
 */
#ifndef VGPU_MANAGER_VGPU_ACCESS_H
#define VGPU_MANAGER_VGPU_ACCESS_H

#include "context.h"
#include "store.h"

struct vgpu_instance;

/* Find the groups, once at the start. */
void vgpu_access_init(struct vgpu_manager *manager);

/* The owner of a vGPU that user @uid makes without naming one. */
void vgpu_access_choose_owner(const struct vgpu_manager *manager, int64_t uid,
			      struct vgpu_owner *ret_owner);
/* Check an owner that a client has named. */
int vgpu_access_check_owner(const struct vgpu_manager *manager,
			    const struct vgpu_owner *owner, struct vgpu_err *err);

/* Give managers and owners of vGPUs access to the manager's socket. */
void vgpu_access_open_manager(struct vgpu_manager *manager);
/* Give those who may use a vGPU access to its sockets. */
int vgpu_access_open_vgpu(const struct vgpu_manager *manager,
			  const struct vgpu_definition *definition,
			  struct vgpu_err *err);
/* Give those who may look access to the VNC server's socket @path. */
int vgpu_access_open_vnc(const struct vgpu_manager *manager,
			 const struct vgpu_definition *definition,
			 const char *path);

#endif
