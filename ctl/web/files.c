/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the page: our own, and noVNC's. */
#include "ctl/web/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* Beneath @folder, by no link, and no "..". */
static int open_beneath(const char *folder, const char *name)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	vgpu_autoclose int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	vgpu_autoclose int fd = -1;
	struct stat file;

	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
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
