/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accepting varlink clients. */
#ifndef VGPU_MANAGER_API_ACCEPT_H
#define VGPU_MANAGER_API_ACCEPT_H

#include "manager/vgpu/context.h"

/*
 * Hand over to manager->server whoever connects to paths.socket, which is made
 * here. libsystemd's own listening sockets are given up for ever at the first
 * accept() that fails, as for want of an fd.
 */
int vgpu_accept_start(struct vgpu_manager *manager);
void vgpu_accept_stop(struct vgpu_manager *manager);

#endif
