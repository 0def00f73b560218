/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mediated devices in sysfs, whosever they are. */
#include "device.h"

#include <string.h>

#include "lib/util.h"
#include "manager/host/sysfs.h"

#define DEVICE "bus/mdev/devices/%s"

bool vgpu_mdev_exists(int sysfs, const char *uuid)
{
	return vgpu_sysfs_exists(sysfs, DEVICE, uuid);
}

int vgpu_mdev_type(int sysfs, const char *uuid, char ret[VGPU_MDEV_TYPE_SIZE])
{
	return vgpu_sysfs_read_link(sysfs, ret, VGPU_MDEV_TYPE_SIZE,
				    DEVICE "/mdev_type", uuid);
}

int vgpu_mdev_group(int sysfs, const char *uuid)
{
	char name[16];
	int group, end = 0;

	if (vgpu_sysfs_read_link(sysfs, name, sizeof(name),
				 DEVICE "/iommu_group", uuid) < 0 ||
	    sscanf(name, "%d%n", &group, &end) != 1 || name[end])
		return -1;
	return group;
}

static int explain(int r, const char *what, const char *uuid, struct vgpu_err *err)
{
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return vgpu_err_set(
			err, r, "Internal",
			"vgpud may not write to sysfs (%s): see \"VFIO devices\" in vgpud(8)",
			strerror(-r));
	return vgpu_err_set(err, r, "Internal",
			    "the mediated device %s cannot be %s: %s", uuid,
			    what, strerror(-r));
}

int vgpu_mdev_create(int sysfs, const char *parent, const char *type,
		     const char *uuid, struct vgpu_err *err)
{
	int r = vgpu_sysfs_write(
		sysfs, uuid, "%s/mdev_supported_types/%s/create", parent, type);

	if (r == -EUSERS || r == -ENOSPC)
		return vgpu_err_set(
			err, r, "NoRoom",
			"no more mediated devices of type %s can be made", type);
	return r < 0 ? explain(r, "made", uuid, err) : 0;
}

int vgpu_mdev_remove(int sysfs, const char *uuid, struct vgpu_err *err)
{
	int r = vgpu_sysfs_write(sysfs, "1", DEVICE "/remove", uuid);

	/* ENODEV: somebody else is just removing it. */
	return r < 0 && r != -ENOENT && r != -ENODEV
		       ? explain(r, "removed", uuid, err)
		       : 0;
}
