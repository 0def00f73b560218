/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret by which a vGPU's device knows the next vgpud. */
#include "key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/util.h"

int vgpu_key_read(const struct vgpu_paths *paths, const char *uuid,
		  uint8_t ret_key[VGPU_CONTROL_KEY_BYTES])
{
	uint8_t key[VGPU_CONTROL_KEY_BYTES + 1];
	char path[VGPU_SOCKET_PATH_SIZE];
	vgpu_autoclose int fd = -1;
	ssize_t n;

	vgpu_paths_instance(paths, uuid, "control.key", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, key, sizeof(key));
	if (n != VGPU_CONTROL_KEY_BYTES)
		return n < 0 ? -errno : -EBADMSG;
	memcpy(ret_key, key, VGPU_CONTROL_KEY_BYTES);
	return 0;
}

static int make_key(const char *path, const char *temporary,
		    uint8_t ret_key[VGPU_CONTROL_KEY_BYTES])
{
	uint8_t key[VGPU_CONTROL_KEY_BYTES];
	vgpu_autoclose int fd = -1;

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, key, sizeof(key)) != sizeof(key) ||
	    rename(temporary, path) < 0) {
		int r = errno ? -errno : -EIO;

		unlink(temporary);
		return r;
	}
	memcpy(ret_key, key, sizeof(key));
	return 0;
}

int vgpu_key_have(const struct vgpu_paths *paths, const char *uuid,
		  uint8_t ret_key[VGPU_CONTROL_KEY_BYTES])
{
	char path[VGPU_SOCKET_PATH_SIZE], temporary[VGPU_SOCKET_PATH_SIZE];

	if (vgpu_key_read(paths, uuid, ret_key) == 0)
		return 0;
	vgpu_paths_instance(paths, uuid, "control.key", path);
	vgpu_paths_instance(paths, uuid, "control.new", temporary);
	return make_key(path, temporary, ret_key);
}
