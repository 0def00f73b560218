/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type catalogue in use: the types file's, or the last good one. */
#ifndef VGPU_MANAGER_CATALOGUE_H
#define VGPU_MANAGER_CATALOGUE_H

#include "lib/err.h"
#include "lib/type.h"

struct vgpu_catalogue {
	struct vgpu_types *types;
	char *file; /* the types file */
	char *copy; /* where the last good one is kept */
	/* Why an older catalogue is in use instead of the file; "" if not. */
	char problem[VGPU_ERR_TEXT_MAX];
};

/*
 * Read the types file: @file if that is given, else the first there is of
 * /etc/vgpu/types.ini, the one in a build folder, and the one installed.
 * A good one is copied to @copy; if the file is broken the copy is read, and
 * the field problem says so. Fails if both are broken or missing.
 */
int vgpu_catalogue_init(struct vgpu_catalogue *ret_catalogue, const char *file,
			const char *copy, struct vgpu_err *err);
/* Read it again; on failure the old catalogue stays and problem says why. */
int vgpu_catalogue_reload(struct vgpu_catalogue *catalogue);
void vgpu_catalogue_finish(struct vgpu_catalogue *catalogue);

#endif
