/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs of one virtual machine: each is told of how many there are. */
#ifndef VGPU_MANAGER_VGPU_MACHINE_H
#define VGPU_MANAGER_VGPU_MACHINE_H

struct vgpu_manager;

/*
 * A VMM allows a limited number of mappings in the windows of all its vGPUs, so
 * each must know its share. Call this when a vGPU was attached or detached, or
 * has a new device process.
 */
void vgpu_machine_tell(struct vgpu_manager *manager);

#endif
