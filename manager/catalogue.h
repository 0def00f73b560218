/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type catalogue in use: the types file's, or the last good one. */
#ifndef VGPU_MANAGER_CATALOGUE_H
#define VGPU_MANAGER_CATALOGUE_H

#include "lib/err.h"
#include "lib/type.h"

struct vgpu_catalogue {
	struct vgpu_types *types;
	char *given; /* the types file that was asked for, or NULL */
	char *own; /* where the administrator may put another than the shipped */
	char *file; /* the types file: one of these, or the shipped one */
	char *copy; /* where the last good one is kept */
	/* Why an older catalogue is in use instead of the file; "" if not. */
	char problem[VGPU_ERR_TEXT_MAX];
};

/*
 * Read the types file: @file if that is given, else the first there is of
 * types.ini beside @config, the one in a build folder, and the one installed.
 * A good one is copied to @copy; if the file is broken the copy is read, and
 * the field problem says so. Fails if both are broken or missing.
 */
int vgpu_catalogue_init(struct vgpu_catalogue *ret_catalogue, const char *file,
			const char *config, const char *copy,
			struct vgpu_err *err);
/*
 * Look for it again, as one may have appeared or be gone, and read it; on
 * failure the old catalogue stays and problem says why.
 */
int vgpu_catalogue_reload(struct vgpu_catalogue *catalogue);
/* Whether the types file can be read now. The copy does not count. */
int vgpu_catalogue_check(const char *file, const char *config,
			 struct vgpu_err *err);
void vgpu_catalogue_finish(struct vgpu_catalogue *catalogue);

#endif
