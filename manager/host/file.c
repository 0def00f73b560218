/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files: read whole with a bound, replaced whole or not at all. */
#include "file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/util.h"

int vgpu_file_read(const char *path, size_t max, char **ret_text,
		   size_t *ret_length)
{
	vgpu_autofree char *text = NULL;
	vgpu_autoclose int fd = -1;
	struct stat st;
	size_t used = 0;

	/* O_NONBLOCK: a FIFO in a file's place must not stop the manager. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADF;
	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;

	for (;;) {
		ssize_t n = read(fd, text + used, max + 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return -EFBIG;
	}
	text[used] = '\0';
	*ret_text = vgpu_steal(&text);
	*ret_length = used;
	return 0;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

static int sync_folder_of(const char *path)
{
	vgpu_autofree char *folder = strdup(path);
	vgpu_autoclose int fd = -1;

	if (!folder)
		return -ENOMEM;
	*strrchr(folder, '/') = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int vgpu_file_write(const char *path, const char *text, size_t length)
{
	vgpu_autofree char *temporary = NULL;
	vgpu_autoclose int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = open(temporary,
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, length);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	return sync_folder_of(path);
}

int vgpu_file_remove(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_folder_of(path);
}
