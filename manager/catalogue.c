/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type catalogue in use: the types file's, or the last good one. */
#include "catalogue.h"

#include <limits.h>
#include <string.h>

#include "manager/host/file.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/text.h"

#define TYPES_FILE_MAX (1024 * 1024) /* 64 types take some kilobytes */

/* The path of types.ini beside @config. The caller frees it. */
static char *find_own_file(const char *config)
{
	const char *slash = strrchr(config, '/');
	char *path;

	if (asprintf(&path, "%.*stypes.ini",
		     slash ? (int)(slash + 1 - config) : 0, config) < 0)
		return NULL;
	return path;
}

static char *find_types_file(const char *given, const char *own)
{
	vgpu_autofree char *path = NULL;
	char self[PATH_MAX];
	ssize_t n;

	if (given)
		return strdup(given);
	if (access(own, F_OK) == 0)
		return strdup(own);

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

static int parse_types(const char *text, size_t length, const char *name,
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

static int load_types(const char *path, char **ret_text, size_t *ret_length,
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
	r = parse_types(text, length, path, ret_types, err);
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
	char *file;
	int r;

	file = find_types_file(catalogue->given, catalogue->own);
	if (!file) {
		set_problem(catalogue, "out of memory");
		return -ENOMEM;
	}
	free(catalogue->file);
	catalogue->file = file;
	r = load_types(file, &text, &length, &types, &err);
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

int vgpu_catalogue_check(const char *file, const char *config,
			 struct vgpu_err *err)
{
	vgpu_autofree char *own = find_own_file(config);
	vgpu_autofree char *path = own ? find_types_file(file, own) : NULL;
	vgpu_autofree char *text = NULL;
	struct vgpu_types *types;
	size_t length;
	int r;

	if (!path)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	r = load_types(path, &text, &length, &types, err);
	if (r >= 0)
		vgpu_types_destroy(types);
	return r;
}

int vgpu_catalogue_init(struct vgpu_catalogue *ret_catalogue, const char *file,
			const char *config, const char *copy,
			struct vgpu_err *err)
{
	struct vgpu_catalogue catalogue = {};
	vgpu_autofree char *text = NULL;
	struct vgpu_err copy_err = {};
	size_t length;
	int r;

	catalogue.given = file ? strdup(file) : NULL;
	catalogue.own = find_own_file(config);
	catalogue.copy = strdup(copy);
	if ((file && !catalogue.given) || !catalogue.own || !catalogue.copy) {
		vgpu_catalogue_finish(&catalogue);
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	}

	r = vgpu_catalogue_reload(&catalogue);
	if (r < 0 &&
	    load_types(copy, &text, &length, &catalogue.types, &copy_err) < 0) {
		/*
		 * There is no older copy: report what is wrong with the file.
		 */
		r = vgpu_catalogue_check(file, config, err);
		vgpu_catalogue_finish(&catalogue);
		return r < 0 ? r : -EAGAIN;
	}
	*ret_catalogue = catalogue;
	return 0;
}

void vgpu_catalogue_finish(struct vgpu_catalogue *catalogue)
{
	vgpu_types_destroy(catalogue->types);
	free(catalogue->given);
	free(catalogue->own);
	free(catalogue->file);
	free(catalogue->copy);
	*catalogue = (struct vgpu_catalogue){};
}
