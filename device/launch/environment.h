/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The environment of render processes. */
#ifndef VGPU_DEVICE_LAUNCH_ENVIRONMENT_H
#define VGPU_DEVICE_LAUNCH_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#define VGPU_ENVIRONMENT_MAX 16

struct vgpu_environment {
	char *item[VGPU_ENVIRONMENT_MAX + 1]; /* ends with NULL */
	size_t n;
};

/* False: there is no memory for it. */
bool vgpu_environment_init(struct vgpu_environment *environment);
void vgpu_environment_finish(struct vgpu_environment *environment);

#endif
