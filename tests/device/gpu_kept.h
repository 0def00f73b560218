/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A double of a launcher: what it keeps for a successor of the device. */
#ifndef VGPU_TESTS_DEVICE_GPU_KEPT_H
#define VGPU_TESTS_DEVICE_GPU_KEPT_H

struct vgpu_launcher;

/*
 * It keeps files of framebuffer. Shared memory is lost with the device, as if
 * it had come too late. A child of this process reaches it, too.
 */
struct vgpu_launcher *kept_create(void);
void kept_destroy(struct vgpu_launcher *launcher);
/* @to has the files of @from from now on, and no others. */
void kept_copy(struct vgpu_launcher *to, struct vgpu_launcher *from);
unsigned int kept_count(struct vgpu_launcher *launcher);

#endif
