/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's configuration file. */
#ifndef VGPU_MANAGER_CONFIG_H
#define VGPU_MANAGER_CONFIG_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/share.h"

#define VGPU_CONFIG_PATH "/etc/vgpu/vgpud.conf"

/* A device that vgpu_mdev makes for it, where no PCI device is the parent. */
#define VGPU_MDEV_PARENT "vgpud"

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
 *	[mdev]
 *	parent = 0000:03:00.0      of the types that mdevctl and libvirt see
 */
struct vgpu_config {
	uint32_t managers; /* gids; 0: not set */
	uint32_t users;
	uint32_t watchers;
	uint64_t embedded_mib; /* no more than there is */
	uint64_t embedded_wanted_mib;
	uint64_t embedded_reserve_mib;
	struct vgpu_scheduling scheduling;
	char mdev_parent[16]; /* "": the first GPU of hardware, or "vgpud" */
};

/*
 * Read @path over the defaults; NULL is VGPU_CONFIG_PATH, which need not
 * exist. Says file, line and reason where it fails.
 */
int vgpu_config_load(const char *path, struct vgpu_config *ret_config,
		     struct vgpu_err *err);

#endif
