/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets up and runs the manager: everything that vgpud has. */
#ifndef VGPU_MANAGER_MANAGER_H
#define VGPU_MANAGER_MANAGER_H

#include "manager/vgpu/context.h"

struct vgpu_manager_options {
	const char *state;
	const char *runtime;
	const char *config;  /* NULL for the default */
	const char *types;   /* NULL for the default */
	const char *sysfs;   /* NULL for the default, which need not be there */
	const char *devices; /* NULL for the default, /dev */
};

/* Whether its configuration and its types can be read. */
int vgpu_manager_check(const struct vgpu_manager_options *options,
		       struct vgpu_err *err);
int vgpu_manager_init(struct vgpu_manager *manager, sd_event *event,
		      const struct vgpu_manager_options *options,
		      struct vgpu_err *err);
/* Bring back every vGPU that is defined, and begin to serve. */
int vgpu_manager_start(struct vgpu_manager *manager, struct vgpu_err *err);
/* Free everything. Device processes run on. */
void vgpu_manager_finish(struct vgpu_manager *manager);

void vgpu_manager_reload(struct vgpu_manager *manager);

#endif
