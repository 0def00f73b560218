/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files: read whole with a bound, replaced whole or not at all. */
#ifndef VGPU_MANAGER_HOST_FILE_H
#define VGPU_MANAGER_HOST_FILE_H

#include <stddef.h>

/*
 * Read a regular file of @max bytes at most; -EFBIG if it is larger.
 * *ret_text has a NUL after its *ret_length bytes.
 */
int vgpu_file_read(const char *path, size_t max, char **ret_text,
		   size_t *ret_length);
/*
 * Replace @path by a file of this content. It is on the disk when this
 * returns. On failure the old one is untouched and nothing else is left, but
 * for a disk that fails in the last step.
 */
int vgpu_file_write(const char *path, const char *text, size_t length);
/* Remove @path so that it stays removed after a power cut; none is fine. */
int vgpu_file_remove(const char *path);

#endif
