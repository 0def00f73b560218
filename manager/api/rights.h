/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call which method. There are two rights: to use a vGPU, which is to
 * connect to its sockets, and to manage. Of the latter a part can be given
 * alone: to see every vGPU, for programs that watch. Whoever may use one as its
 * owner may also call for it; a virtual machine monitor that is let in by the
 * owner's group may not.
 */
#ifndef VGPU_MANAGER_API_RIGHTS_H
#define VGPU_MANAGER_API_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-varlink.h>

struct vgpu_manager;
struct vgpu_owner;

enum vgpu_right {
	VGPU_RIGHT_ANYONE, /* who can connect; told of what is his own */
	VGPU_RIGHT_SEE,	   /* that owner, and who may see all there is */
	VGPU_RIGHT_OWNER,  /* the owner of the vGPU that the call names */
	VGPU_RIGHT_MANAGE, /* root, vgpud's user, members of the group */
};

/* The user who calls, or VGPU_EVENT_BY_NOBODY. */
int64_t vgpu_rights_uid(sd_varlink *link);

/*
 * Whether @link has @right. Returns 1 if so; else the call has been answered,
 * and what is returned is what its method returns.
 */
int vgpu_rights_check(sd_varlink *link, sd_json_variant *parameters,
		      enum vgpu_right right, struct vgpu_manager *manager);
bool vgpu_rights_is_manager(const struct vgpu_manager *manager, sd_varlink *link);
/* Whether @link is told of every vGPU. */
bool vgpu_rights_sees_all(const struct vgpu_manager *manager, sd_varlink *link);
/* Whether @link is told of a vGPU that has @owner. */
bool vgpu_rights_sees(const struct vgpu_manager *manager, sd_varlink *link,
		      const struct vgpu_owner *owner);

#endif
