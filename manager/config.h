/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's configuration file. */
#ifndef VGPU_MANAGER_CONFIG_H
#define VGPU_MANAGER_CONFIG_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/share.h"

#define VGPU_CONFIG_PATH "/etc/vgpu/vgpud.conf"

/*
 * INI:
 *	[embedded]
 *	framebuffer_mib = 4096     the embedded GPU's framebuffer; 0: it has
 *none host_reserve_mib = 0       of it what no vGPU gets
 *	scheduler = best-effort    until another one is set by a client
 *	time_slice_ms = 5
 *	[access]
 *	managers = vgpu            a group, by name or number: who may manage
 *	users = vgpu-vm            ... may use the vGPUs that root makes
 *	watchers = vgpu-watch      ... may see what there is
 */
struct vgpu_config {
	uint32_t managers; /* gids; 0: not set */
	uint32_t users;
	uint32_t watchers;
	uint64_t embedded_mib; /* no more than there is */
	uint64_t embedded_wanted_mib;
	uint64_t embedded_reserve_mib;
	struct vgpu_scheduling scheduling;
};

/*
 * Read @path over the defaults; NULL is VGPU_CONFIG_PATH, which need not
 * exist. Says file, line and reason where it fails.
 */
int vgpu_config_load(const char *path, struct vgpu_config *ret_config,
		     struct vgpu_err *err);

#endif
