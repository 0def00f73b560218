/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type catalogue in use: the types file's, or the last good one. */
#include "catalogue.h"

#include <limits.h>
#include <string.h>

#include "file.h"
#include "lib/util.h"
#include "log.h"
#include "text.h"

#define TYPES_FILE_MAX (1024 * 1024) /* 64 types take some kilobytes */

static char *find_types_file(const char *given)
{
	vgpu_autofree char *path = NULL;
	char self[PATH_MAX];
	ssize_t n;

	if (given)
		return strdup(given);
	if (access("/etc/vgpu/types.ini", F_OK) == 0)
		return strdup("/etc/vgpu/types.ini");

	/* Run from a build folder, where manager/meson.build puts a copy. */
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if (asprintf(&path, "%s/manager/types.ini", self) < 0) {
			path = NULL;
			return NULL;
		}
		if (access(path, F_OK) == 0)
			return vgpu_steal(&path);
	}
	return strdup(VGPU_DATADIR "/types.ini");
}

static int parse(const char *text, size_t length, const char *name,
		 struct vgpu_types **ret_types, struct vgpu_err *err)
{
	vgpu_autofclose FILE *file = NULL;

	if (length == 0)
		return vgpu_err_set(err, -EINVAL, "Internal", "%s: it is empty",
				    name);
	file = fmemopen((char *)text, length, "r");
	if (!file)
		return vgpu_err_set(err, -errno, "Internal", "%s: %s", name,
				    strerror(errno));
	return vgpu_types_read(file, name, ret_types, err);
}

static int load(const char *path, char **ret_text, size_t *ret_length,
		struct vgpu_types **ret_types, struct vgpu_err *err)
{
	vgpu_autofree char *text = NULL;
	size_t length;
	int r;

	r = vgpu_file_read(path, TYPES_FILE_MAX, &text, &length);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the types file %s cannot be read: %s",
				    path, strerror(-r));
	r = parse(text, length, path, ret_types, err);
	if (r < 0)
		return r;
	*ret_text = vgpu_steal(&text);
	*ret_length = length;
	return 0;
}

static void set_problem(struct vgpu_catalogue *catalogue, const char *text)
{
	snprintf(catalogue->problem, sizeof(catalogue->problem),
		 "%.400s; the last good catalogue stays in use", text);
	vgpu_text_make_printable(catalogue->problem);
}

int vgpu_catalogue_reload(struct vgpu_catalogue *catalogue)
{
	vgpu_autofree char *text = NULL;
	struct vgpu_types *types;
	struct vgpu_err err = {};
	size_t length;
	int r;

	r = load(catalogue->file, &text, &length, &types, &err);
	if (r < 0) {
		set_problem(catalogue, err.text);
		return r;
	}
	vgpu_types_destroy(catalogue->types);
	catalogue->types = types;
	catalogue->problem[0] = '\0';

	r = vgpu_file_write(catalogue->copy, text, length);
	if (r < 0)
		vgpu_log("%s cannot be written, so a broken types file will keep the next vgpud from starting: %s",
			 catalogue->copy, strerror(-r));
	return 0;
}

int vgpu_catalogue_init(struct vgpu_catalogue *ret_catalogue, const char *file,
			const char *copy, struct vgpu_err *err)
{
	struct vgpu_catalogue catalogue = {};
	vgpu_autofree char *text = NULL;
	struct vgpu_err copy_err = {};
	size_t length;
	int r;

	catalogue.file = find_types_file(file);
	catalogue.copy = strdup(copy);
	if (!catalogue.file || !catalogue.copy) {
		vgpu_catalogue_finish(&catalogue);
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	}

	r = vgpu_catalogue_reload(&catalogue);
	if (r < 0 && load(copy, &text, &length, &catalogue.types, &copy_err) < 0) {
		struct vgpu_types *none = NULL;

		/* No older one: what is wrong with the file is what counts. */
		r = load(catalogue.file, &text, &length, &none, err);
		vgpu_types_destroy(none);
		vgpu_catalogue_finish(&catalogue);
		return r < 0 ? r : -EAGAIN;
	}
	*ret_catalogue = catalogue;
	return 0;
}

void vgpu_catalogue_finish(struct vgpu_catalogue *catalogue)
{
	vgpu_types_destroy(catalogue->types);
	free(catalogue->file);
	free(catalogue->copy);
	*catalogue = (struct vgpu_catalogue){};
}
