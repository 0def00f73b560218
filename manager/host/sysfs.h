/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes in sysfs: read with a bound, written in one piece. */
#ifndef VGPU_MANAGER_HOST_SYSFS_H
#define VGPU_MANAGER_HOST_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VGPU_SYSFS_PATH_MAX  256
#define VGPU_SYSFS_NAME_SIZE 64 /* PCI addresses, types, uuids */

/*
 * Paths are printf-like and below @root, a folder's fd. All return 0 or a
 * negative errno; -ENAMETOOLONG where a path has no room.
 */

/*
 * What an attribute holds up to its first line end, as printable ASCII, cut to
 * @size with its NUL.
 */
__attribute__((format(printf, 4, 5))) int
vgpu_sysfs_read(int root, char *ret, size_t size, const char *path, ...);
/* A number in decimal, alone in its line; -EBADMSG if it is none. */
__attribute__((format(printf, 3, 4))) int
vgpu_sysfs_read_number(int root, uint64_t *ret, const char *path, ...);
/* Of "a [b] c" the b; -EBADMSG if nothing is in brackets. */
__attribute__((format(printf, 4, 5))) int
vgpu_sysfs_read_choice(int root, char *ret, size_t size, const char *path, ...);
/* The name at the end of where a link leads. */
__attribute__((format(printf, 4, 5))) int
vgpu_sysfs_read_link(int root, char *ret, size_t size, const char *path, ...);
__attribute__((format(printf, 2, 3))) bool
vgpu_sysfs_exists(int root, const char *path, ...);
/* Whether this process lacks the permission to write there. */
__attribute__((format(printf, 2, 3))) bool
vgpu_sysfs_is_denied(int root, const char *path, ...);
/* Write @value in one write; the attribute must be there. */
__attribute__((format(printf, 3, 4))) int
vgpu_sysfs_write(int root, const char *value, const char *path, ...);
/* For reading. Returns an fd. */
__attribute__((format(printf, 2, 3))) int vgpu_sysfs_open(int root,
							  const char *path, ...);
/*
 * A folder's names in the order of strcmp, but for those of files that are
 * hidden or longer than an array; the caller frees *ret_names.
 */
__attribute__((format(printf, 4, 5))) int
vgpu_sysfs_list(int root, char (**ret_names)[VGPU_SYSFS_NAME_SIZE],
		size_t *ret_count, const char *path, ...);

#endif
