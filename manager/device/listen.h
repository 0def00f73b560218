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
 * Make the vGPU's folder, its two listening sockets, of which users find the
 * one at @name, and an empty state block, with @has_seat the same for its input
 * devices, and put their fds into @store. Old sockets are replaced.
 */
int vgpu_listen_prepare(const struct vgpu_paths *paths, const char *uuid,
			const char *name, bool has_seat,
			struct vgpu_fd_store *store, struct vgpu_err *err);

/* Where the VMM connects to an input device, in the vGPU's folder. */
extern const char *const vgpu_listen_input_socket[VGPU_INPUTS];
/* Whether the vGPU of @store has input devices. */
bool vgpu_listen_has_seat(const struct vgpu_fd_store *store);

#endif
