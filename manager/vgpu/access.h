/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is let in at the sockets: the managers' group and every owner at the
 * manager's, a vGPU's owner at that one's. What may be called there: api/rights.h.
 */
#ifndef VGPU_MANAGER_VGPU_ACCESS_H
#define VGPU_MANAGER_VGPU_ACCESS_H

#include "context.h"
#include "store.h"

struct vgpu_instance;

/* Find the groups, once at the start. */
void vgpu_access_init(struct vgpu_manager *manager);

/* Whose a vGPU is that user @uid makes for nobody in particular. */
void vgpu_access_choose_owner(const struct vgpu_manager *manager, int64_t uid,
			      struct vgpu_owner *ret_owner);
/* Refuse an owner that a vGPU cannot have here. */
int vgpu_access_check_owner(const struct vgpu_manager *manager,
			    const struct vgpu_owner *owner, struct vgpu_err *err);

/* Let in at the manager's socket who manages and who owns a vGPU. */
void vgpu_access_open_manager(struct vgpu_manager *manager);
/* Let in at the sockets of a vGPU who may use it. */
int vgpu_access_open_vgpu(const struct vgpu_manager *manager,
			  const struct vgpu_definition *definition,
			  struct vgpu_err *err);
/* Let in at the socket @path of a VNC server who may look. */
int vgpu_access_open_vnc(const struct vgpu_manager *manager,
			 const struct vgpu_definition *definition,
			 const char *path);

#endif
