/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mediated devices in sysfs, whosever they are. */
#include "device.h"

#include <string.h>

#include "lib/util.h"
#include "manager/host/json.h"
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

bool vgpu_mdev_is_of_module(int sysfs, const char *uuid)
{
	char driver[32];

	return vgpu_sysfs_read_link(sysfs, driver, sizeof(driver),
				    DEVICE "/driver", uuid) == 0 &&
	       strcmp(driver, VGPU_MDEV_MODULE) == 0;
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

int vgpu_mdev_arguments(const char *uuid, sd_json_variant **ret_json,
			sd_json_variant **ret_device)
{
	char path[VGPU_SYSFS_PATH_MAX], device[320], id[16];
	int r;

	snprintf(path, sizeof(path), "/sys/" DEVICE, uuid);
	/* Eight digits tell the vGPUs of one machine apart. */
	snprintf(id, sizeof(id), "vgpu-%.8s", uuid);
	snprintf(device, sizeof(device),
		 "vfio-pci,id=%s,sysfsdev=%s,display=off", id, path);
	r = sd_json_build(ret_json,
			  SD_JSON_BUILD_ARRAY(SD_JSON_BUILD_STRING("-device"),
					      SD_JSON_BUILD_STRING(device)));
	if (r < 0)
		return r;
	return sd_json_buildo(ret_device,
			      SD_JSON_BUILD_PAIR_STRING("driver", "vfio-pci"),
			      SD_JSON_BUILD_PAIR_STRING("id", id),
			      SD_JSON_BUILD_PAIR_STRING("sysfsdev", path),
			      SD_JSON_BUILD_PAIR_STRING("display", "off"));
}
