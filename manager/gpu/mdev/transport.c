/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vGPUs with a device process as VFIO devices of the kernel module vgpu_mdev. A
 * device's uuid is the vGPU's. Its file is opened here, and goes from one
 * device process to the next as all else of the vGPU's fds does.
 */
#include "transport.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device.h"
#include "kernel/uapi/vgpu_mdev.h"
#include "lib/util.h"
#include "manager/host/sysfs.h"

#define PARENT "class/vgpu-mdev/vgpu_mdev"
#define FOLDER "/dev/vgpu-mdev"

/* For udev, and for the end of who had the file before. */
#define OPEN_WAIT_MS 2000
#define OPEN_STEP_MS 10

static bool is_ours(const struct vgpu_manager *manager, const char *uuid)
{
	char type[VGPU_MDEV_TYPE_SIZE];

	return vgpu_mdev_type(manager->sysfs, uuid, type) == 0 &&
	       (strcmp(type, VGPU_MDEV_TYPE) == 0 ||
		vgpu_mdev_is_of_module(manager->sysfs, uuid));
}

static int mdev_check(struct vgpu_manager *manager, const char *uuid,
		      bool is_new, struct vgpu_err *err)
{
	if (!vgpu_sysfs_exists(manager->sysfs, PARENT))
		return vgpu_err_set(
			err, -ENODEV, "GpuUnusable",
			"the kernel module vgpu_mdev is not loaded, of which a vGPU of transport mdev is a device: `modprobe vgpu_mdev` loads it");
	if (vgpu_mdev_exists(manager->sysfs, uuid) &&
	    (is_new || !is_ours(manager, uuid)))
		return vgpu_err_set(
			err, -EEXIST, "UuidInUse",
			"others made a mediated device of the uuid %s: remove it there, or choose another uuid",
			uuid);
	return 0;
}

/* Returns an fd. */
static int open_file(const char *uuid)
{
	char path[64];
	int fd = -1;

	snprintf(path, sizeof(path), FOLDER "/%s", uuid);
	for (unsigned int i = 0; i < OPEN_WAIT_MS / OPEN_STEP_MS; i++) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0 ||
		    (errno != EBUSY && errno != EACCES && errno != ENOENT))
			break;
		usleep(OPEN_STEP_MS * 1000);
	}
	return fd < 0 ? -errno : fd;
}

static int explain_file(int r, const char *uuid, struct vgpu_err *err)
{
	return vgpu_err_set(err, r, r == -EBUSY ? "InUse" : "Internal",
			    "the file " FOLDER
			    "/%s of its VFIO device cannot be opened: %s",
			    uuid,
			    r == -EBUSY ? "another process serves the device"
					: strerror(-r));
}

static int mdev_prepare(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_manager *manager = instance->manager;
	const char *uuid = instance->definition.uuid;
	int r;

	if (vgpu_fd_store_get(&instance->fds, VGPU_SLOT_MDEV) >= 0)
		return 0;
	if (!instance->has_host_device ||
	    !vgpu_mdev_exists(manager->sysfs, uuid)) {
		if (instance->definition.is_transient)
			return vgpu_err_set(err, -ENODEV, "Internal",
					    "others removed its VFIO device");
		r = vgpu_mdev_create(manager->sysfs, PARENT, VGPU_MDEV_TYPE,
				     uuid, err);
		if (r < 0)
			return r;
		instance->has_host_device = true;
	}
	r = open_file(uuid);
	if (r < 0)
		return explain_file(r, uuid, err);
	return vgpu_fd_store_put(&instance->fds, VGPU_SLOT_MDEV, r);
}

static int refuse_use(const struct vgpu_instance *instance, struct vgpu_err *err)
{
	static const char advice[] =
		"shut its virtual machine down first; a VFIO device cannot be taken away by force";

	if (vgpu_instance_is_attached(instance) && instance->status.peer_pid > 0)
		return vgpu_err_set(err, -EBUSY, "InUse",
				    "the process %d has it open: %s",
				    instance->status.peer_pid, advice);
	return vgpu_err_set(err, -EBUSY, "InUse", "a process has it open: %s",
			    advice);
}

static int mdev_release(struct vgpu_instance *instance, struct vgpu_err *err)
{
	const char *uuid = instance->definition.uuid;
	int fd = vgpu_fd_store_get(&instance->fds, VGPU_SLOT_MDEV);
	vgpu_autoclose int own = -1;

	if (!is_ours(instance->manager, uuid))
		return 0; /* nothing of it is left there */
	if (fd < 0) {
		own = open_file(uuid);
		fd = own;
	}
	if (fd < 0)
		return explain_file(fd, uuid, err);
	if (ioctl(fd, VGPU_MDEV_END) < 0 && errno == EBUSY)
		return refuse_use(instance, err);
	return 0;
}

static int mdev_remove(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_manager *manager = instance->manager;
	const char *uuid = instance->definition.uuid;
	int r = mdev_release(instance, err);

	if (r == 0 && is_ours(manager, uuid))
		r = vgpu_mdev_remove(manager->sysfs, uuid, err);
	if (r < 0)
		return r;
	vgpu_fd_store_drop(&instance->fds, VGPU_SLOT_MDEV);
	instance->has_host_device = false;
	return 0;
}

int vgpu_mdev_take_away(struct vgpu_manager *manager, const char *uuid,
			struct vgpu_err *err)
{
	vgpu_autoclose int fd = open_file(uuid);

	if (fd < 0)
		return explain_file(fd, uuid, err);
	if (ioctl(fd, VGPU_MDEV_END) < 0 && errno == EBUSY)
		return vgpu_err_set(err, -EBUSY, "InUse",
				    "a process has it open");
	return vgpu_mdev_remove(manager->sysfs, uuid, err);
}

static bool mdev_is_there(const struct vgpu_instance *instance)
{
	return is_ours(instance->manager, instance->definition.uuid);
}

static void mdev_path(const struct vgpu_instance *instance, char *ret, size_t size)
{
	snprintf(ret, size, "/sys/bus/mdev/devices/%s",
		 instance->definition.uuid);
}

static int mdev_qemu_arguments(struct vgpu_instance *instance,
			       sd_json_variant **ret_json,
			       sd_json_variant **ret_device, char *note,
			       size_t note_size)
{
	const char *uuid = instance->definition.uuid;
	int group = vgpu_mdev_group(instance->manager->sysfs, uuid);

	if (group >= 0)
		snprintf(note, note_size,
			 "QEMU must be allowed to open /dev/vfio/%d", group);
	return vgpu_mdev_arguments(uuid, ret_json, ret_device);
}

const struct vgpu_transport_ops vgpu_mdev_transport = {
	.slot = VGPU_SLOT_MDEV,
	.check = mdev_check,
	.prepare = mdev_prepare,
	.release = mdev_release,
	.remove = mdev_remove,
	.is_there = mdev_is_there,
	.path = mdev_path,
	.qemu_arguments = mdev_qemu_arguments,
};
