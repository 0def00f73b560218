/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what. There are two rights: to use a vGPU, which is to connect to its
 * sockets, and to manage. Whoever may use one as its owner may also call for it;
 * a virtual machine monitor that is let in by the owner's group may not.
 */
#ifndef VGPU_MANAGER_VGPU_ACCESS_H
#define VGPU_MANAGER_VGPU_ACCESS_H

#include "manager/manager.h"
#include "store.h"

struct vgpu_instance;

enum vgpu_right {
	VGPU_RIGHT_ANYONE, /* who can connect; told of what is his own */
	VGPU_RIGHT_OWNER,  /* the owner of the vGPU that the call names */
	VGPU_RIGHT_MANAGE, /* root, vgpud's user, members of the group */
};

/* Find the groups, once at the start. */
void vgpu_access_init(struct vgpu_manager *manager);

/* Whose a vGPU is that @link makes for nobody in particular. */
void vgpu_access_default_owner(struct vgpu_manager *manager, sd_varlink *link,
			       struct vgpu_owner *ret_owner);
/* Refuse an owner that a vGPU cannot have here. */
int vgpu_access_check_owner(const struct vgpu_manager *manager,
			    const struct vgpu_owner *owner, struct vgpu_err *err);

/*
 * Whether @link has @right. Returns 1 if so; else the call has been answered,
 * and what is returned is what its method returns.
 */
int vgpu_access_check(sd_varlink *link, sd_json_variant *parameters,
		      enum vgpu_right right, struct vgpu_manager *manager);
bool vgpu_access_is_manager(const struct vgpu_manager *manager, sd_varlink *link);
/* Whether @link is told of a vGPU that has @owner. */
bool vgpu_access_sees(const struct vgpu_manager *manager, sd_varlink *link,
		      const struct vgpu_owner *owner);

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
