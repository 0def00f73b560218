/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creates what a device process starts with: its sockets and its state block.
 */
#ifndef VGPU_MANAGER_DEVICE_LISTEN_H
#define VGPU_MANAGER_DEVICE_LISTEN_H

#include <sys/types.h>

#include "fd_store.h"
#include "lib/err.h"
#include "manager/host/paths.h"

/*
 * A unix socket that listens at @path, whose file has @mode; what was there is
 * replaced. Returns 0 or -errno.
 */
int vgpu_listen_at(const char *path, int type, mode_t mode, int backlog,
		   int *ret_fd);

/*
 * Make the vGPU's folder, its two listening sockets, of which users find the one
 * at @name, and an empty state block,
 * and put their fds into @store. Old sockets are replaced.
 */
int vgpu_listen_prepare(const struct vgpu_paths *paths, const char *uuid,
			const char *name, struct vgpu_fd_store *store,
			struct vgpu_err *err);

#endif
