/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mediated devices in sysfs, whosever they are. */
#ifndef VGPU_MANAGER_GPU_MDEV_DEVICE_H
#define VGPU_MANAGER_GPU_MDEV_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-json.h>

#include "lib/err.h"

/* A parent's name of a type, as "i915-GVTg_V5_4" or "nvidia-63". */
#define VGPU_MDEV_TYPE_SIZE 64

/* The kernel module of this project's own, and of its types the only one by hand. */
#define VGPU_MDEV_MODULE "vgpu_mdev"
#define VGPU_MDEV_TYPE	 "vgpu-mdev-gpu"

/* @sysfs is that folder's fd. */
bool vgpu_mdev_exists(int sysfs, const char *uuid);
/* Which type it is of. -ENOENT if there is no such device. */
int vgpu_mdev_type(int sysfs, const char *uuid, char ret[VGPU_MDEV_TYPE_SIZE]);
/* The number of its IOMMU group, as in /dev/vfio; -1 if it has none. */
/* Whether its driver is vgpu_mdev. */
bool vgpu_mdev_is_of_module(int sysfs, const char *uuid);
int vgpu_mdev_group(int sysfs, const char *uuid);

/*
 * Make one of @type, a folder of @parent's mdev_supported_types. @parent is a
 * folder below @sysfs.
 */
int vgpu_mdev_create(int sysfs, const char *parent, const char *type,
		     const char *uuid, struct vgpu_err *err);
/*
 * Remove it; 0 if there is none. Waits for a virtual machine that has it open:
 * the caller knows that none has.
 */
int vgpu_mdev_remove(int sysfs, const char *uuid, struct vgpu_err *err);

/* QEMU's arguments for it, and its -device alone as an object. */
int vgpu_mdev_arguments(const char *uuid, sd_json_variant **ret_json,
			sd_json_variant **ret_device);

#endif
