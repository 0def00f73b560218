/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the page: our own, and noVNC's. */
#include "ctl/web/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

#define HTML "text/html; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

static const struct {
	const char *path;
	const char *name;
	const char *type;
} ours[] = {
	{"/", "index.html", HTML},
	{"/console", "console.html", HTML},
	{"/console.js", "console.js", JS},
	{"/index.js", "index.js", JS},
	{"/login", "login.html", HTML},
	{"/login.js", "login.js", JS},
	{"/page.css", "page.css", "text/css; charset=utf-8"},
};

/* No file's, or not one of the folder's. */
static bool is_no_name(const char *name)
{
	return !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/*
 * Beneath @folder, by no link, and no "..". One name after the other: openat2()
 * does that, but a service with RestrictSUIDSGID=, as ours is, has none.
 */
static int open_beneath(const char *folder, const char *path)
{
	vgpu_autoclose int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	vgpu_autoclose int fd = -1;
	const char *end;
	struct stat file;

	for (; dir >= 0 && (end = strchr(path, '/')); path = end + 1) {
		char name[NAME_MAX + 1];
		int next;

		if (end - path > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, (size_t)(end - path));
		name[end - path] = '\0';
		if (is_no_name(name))
			return -ENOENT;
		next = openat(dir, name,
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		vgpu_close(dir);
		dir = next;
	}
	if (dir < 0)
		return -errno;
	if (is_no_name(path))
		return -ENOENT;
	fd = openat(dir, path,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -ENOENT;
	return vgpu_steal_fd(&fd);
}

/* Only its modules: the rest is a page of its own, which has none of our rules. */
static bool is_module(const char *name)
{
	size_t bytes = strlen(name);

	return (strncmp(name, "core/", 5) == 0 ||
		strncmp(name, "vendor/", 7) == 0) &&
	       bytes > 3 && strcmp(name + bytes - 3, ".js") == 0;
}

int web_files_open(const struct web_files *files, const char *path,
		   const char **ret_type)
{
	static const char novnc[] = "/novnc/";

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ours); i++) {
		if (strcmp(path, ours[i].path) == 0) {
			*ret_type = ours[i].type;
			return open_beneath(files->page, ours[i].name);
		}
	}
	if (strncmp(path, novnc, strlen(novnc)) != 0 ||
	    !is_module(path + strlen(novnc)))
		return -ENOENT;
	*ret_type = JS;
	return open_beneath(files->novnc, path + strlen(novnc));
}
