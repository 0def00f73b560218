/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs of one virtual machine: each is told of how many there are. */
#ifndef VGPU_MANAGER_VGPU_MACHINE_H
#define VGPU_MANAGER_VGPU_MACHINE_H

struct vgpu_manager;

/*
 * A VMM can bear only so many mappings in the windows of all vGPUs together, so
 * each has to know what part of them is its own. Call when one was attached or
 * detached, or has another device process.
 */
void vgpu_machine_tell(struct vgpu_manager *manager);

#endif
