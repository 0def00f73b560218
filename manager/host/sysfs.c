/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes in sysfs: read with a bound, written in one piece. */
#include "sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "lib/util.h"
#include "text.h"

#define ATTRIBUTE_MAX 4096 /* a page: the kernel has no longer ones */

static int format_path(char ret[VGPU_SYSFS_PATH_MAX], const char *path,
		       va_list args)
{
	int n = vsnprintf(ret, VGPU_SYSFS_PATH_MAX, path, args);

	return n < 0 || n >= VGPU_SYSFS_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Set @r to what @call returns, which takes the arguments behind @path as args. */
#define WITH_ARGS(r, path, call)                                               \
	do {                                                                   \
		va_list args;                                                  \
		va_start(args, path);                                          \
		(r) = (call);                                                  \
		va_end(args);                                                  \
	} while (0)

static int open_attribute(int root, int flags, const char *path, va_list args)
{
	char full[VGPU_SYSFS_PATH_MAX];
	int r = format_path(full, path, args);

	if (r < 0)
		return r;
	/*
	 * O_NONBLOCK: a FIFO in place of an attribute must not block the
	 * manager.
	 */
	r = openat(root, full, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return r < 0 ? -errno : r;
}

static int read_attribute(int root, char ret[ATTRIBUTE_MAX + 1],
			  const char *path, va_list args)
{
	vgpu_autoclose int fd = open_attribute(root, O_RDONLY, path, args);
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = pread(fd, ret, ATTRIBUTE_MAX, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	vgpu_text_make_printable(ret);
	return 0;
}

int vgpu_sysfs_read(int root, char *ret, size_t size, const char *path, ...)
{
	char text[ATTRIBUTE_MAX + 1];
	int r;

	WITH_ARGS(r, path, read_attribute(root, text, path, args));
	if (r == 0)
		vgpu_text_copy(ret, size, text);
	return r;
}

int vgpu_sysfs_read_number(int root, uint64_t *ret, const char *path, ...)
{
	char text[ATTRIBUTE_MAX + 1];
	unsigned long long number;
	char *end;
	int r;

	WITH_ARGS(r, path, read_attribute(root, text, path, args));
	if (r < 0)
		return r;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno)
		return -EBADMSG;
	*ret = number;
	return 0;
}

int vgpu_sysfs_read_choice(int root, char *ret, size_t size, const char *path, ...)
{
	char text[ATTRIBUTE_MAX + 1];
	char *begin, *end;
	int r;

	WITH_ARGS(r, path, read_attribute(root, text, path, args));
	if (r < 0)
		return r;
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (!end)
		return -EBADMSG;
	*end = '\0';
	vgpu_text_copy(ret, size, begin + 1);
	return 0;
}

int vgpu_sysfs_read_link(int root, char *ret, size_t size, const char *path, ...)
{
	char full[VGPU_SYSFS_PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;
	int r;

	WITH_ARGS(r, path, format_path(full, path, args));
	if (r < 0)
		return r;
	n = readlinkat(root, full, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	return vgpu_text_copy(ret, size, name) ? 0 : -ENAMETOOLONG;
}

bool vgpu_sysfs_exists(int root, const char *path, ...)
{
	char full[VGPU_SYSFS_PATH_MAX];
	int r;

	WITH_ARGS(r, path, format_path(full, path, args));
	return r == 0 && faccessat(root, full, F_OK, 0) == 0;
}

bool vgpu_sysfs_is_denied(int root, const char *path, ...)
{
	char full[VGPU_SYSFS_PATH_MAX];
	int r;

	WITH_ARGS(r, path, format_path(full, path, args));
	return r == 0 && faccessat(root, full, W_OK, 0) < 0 &&
	       (errno == EACCES || errno == EPERM || errno == EROFS);
}

int vgpu_sysfs_write(int root, const char *value, const char *path, ...)
{
	/* O_TRUNC, as a shell has it: regular files used by tests need it. */
	const int flags = O_WRONLY | O_TRUNC;
	vgpu_autoclose int fd = -1;
	ssize_t n;

	WITH_ARGS(fd, path, open_attribute(root, flags, path, args));
	if (fd < 0)
		return fd;
	do {
		n = write(fd, value, strlen(value));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(value) ? 0 : -EIO;
}

int vgpu_sysfs_open(int root, const char *path, ...)
{
	int r;

	WITH_ARGS(r, path, open_attribute(root, O_RDONLY, path, args));
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_folder(DIR *folder, char (**ret_names)[VGPU_SYSFS_NAME_SIZE],
		       size_t *ret_count)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(folder))) {
		void *more;

		if (entry->d_name[0] == '.' ||
		    strlen(entry->d_name) >= VGPU_SYSFS_NAME_SIZE)
			continue;
		more = reallocarray(names, count + 1, sizeof(*names));
		if (!more)
			return -ENOMEM;
		names = more;
		VGPU_TEXT_SET(names[count], entry->d_name);
		count++;
	}
	if (count > 0)
		qsort(names, count, sizeof(*names), compare);
	*ret_names = vgpu_steal(&names);
	*ret_count = count;
	return 0;
}

int vgpu_sysfs_list(int root, char (**ret_names)[VGPU_SYSFS_NAME_SIZE],
		    size_t *ret_count, const char *path, ...)
{
	char full[VGPU_SYSFS_PATH_MAX];
	DIR *folder;
	int fd, r;

	WITH_ARGS(r, path, format_path(full, path, args));
	if (r < 0)
		return r;
	fd = openat(root, full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		r = -errno;
		vgpu_close(fd);
		return r;
	}
	r = list_folder(folder, ret_names, ret_count);
	closedir(folder);
	return r;
}
