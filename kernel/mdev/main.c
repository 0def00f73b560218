// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vgpu_mdev: mediated virtio-gpu devices for VMs, by VFIO. What a device does
 * is up to an unprivileged process, which serves it by a character device.
 */
#include <linux/module.h>

#include "compat.h"
#include "mdev.h"

#define INSTANCES_MAX 256

static struct device *main_device;
static struct mdev_parent main_parent;

static struct mdev_type main_type = {
	.sysfs_name = "gpu",
	.pretty_name = "virtio-gpu",
};
static struct mdev_type *main_types[] = {&main_type};
static atomic_t main_count = ATOMIC_INIT(0); /* devices of that type */

/* Those of other types are a manager's: types.c. */
static bool main_is_own(const struct mdev_type *type)
{
	return type == &main_type;
}

static unsigned int main_get_available(struct mdev_type *type)
{
	return main_is_own(type) ? INSTANCES_MAX - atomic_read(&main_count)
				 : vgpu_mdev_type_available(type);
}

static ssize_t main_show_description(struct mdev_type *type, char *buf)
{
	return main_is_own(type)
		       ? sysfs_emit(buf, "virtio-gpu, served by a process\n")
		       : vgpu_mdev_type_describe(type, buf);
}

/* One more device of a type, if there can be. */
static int main_take(struct mdev_type *type)
{
	if (!main_is_own(type))
		return vgpu_mdev_type_take(type);
	return atomic_add_unless(&main_count, 1, INSTANCES_MAX) ? 0 : -EUSERS;
}

static void main_give(struct mdev_type *type)
{
	if (main_is_own(type))
		atomic_dec(&main_count);
	else
		vgpu_mdev_type_give();
}

static int main_probe(struct mdev_device *mdev)
{
	struct vgpu_mdev *v;
	int rc;

	rc = main_take(mdev->type);
	if (rc)
		return rc;
	v = vfio_alloc_device(vgpu_mdev, vdev, &mdev->dev, &vgpu_mdev_vfio_ops);
	if (IS_ERR(v)) {
		rc = PTR_ERR(v);
		goto give;
	}
	v->is_managed = !main_is_own(mdev->type);
	rc = vfio_register_emulated_iommu_dev(&v->vdev);
	if (rc)
		goto put;
	rc = vgpu_mdev_add_chardev(v, &mdev->dev);
	if (rc) {
		vfio_unregister_group_dev(&v->vdev);
		goto put;
	}
	dev_set_drvdata(&mdev->dev, v);
	if (v->is_managed)
		vgpu_mdev_types_changed();
	return 0;
put:
	vfio_put_device(&v->vdev);
give:
	main_give(mdev->type);
	return rc;
}

static void main_remove(struct mdev_device *mdev)
{
	struct vgpu_mdev *v = dev_get_drvdata(&mdev->dev);
	const bool is_managed = v->is_managed;

	/* Waits for the VMM to let go, which still is served. */
	vfio_unregister_group_dev(&v->vdev);
	vgpu_mdev_remove_chardev(v);
	vfio_put_device(&v->vdev);
	main_give(mdev->type);
	if (is_managed)
		vgpu_mdev_types_changed();
}

static struct mdev_driver main_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.driver =
		{
			.name = KBUILD_MODNAME,
			.owner = THIS_MODULE,
			.mod_name = KBUILD_MODNAME,
		},
	.probe = main_probe,
	.remove = main_remove,
	.get_available = main_get_available,
	.show_description = main_show_description,
};

static int __init main_init(void)
{
	int rc;

	vgpu_mdev_class = compat_create_class("vgpu-mdev");
	if (IS_ERR(vgpu_mdev_class))
		return PTR_ERR(vgpu_mdev_class);
	rc = vgpu_mdev_init_chardevs();
	if (rc)
		goto destroy_class;
	rc = mdev_register_driver(&main_driver);
	if (rc)
		goto finish_chardevs;
	main_device =
		device_create(vgpu_mdev_class, NULL, 0, NULL, KBUILD_MODNAME);
	if (IS_ERR(main_device)) {
		rc = PTR_ERR(main_device);
		goto unregister_driver;
	}
	/* Before udev is told that there is a parent, whose rule looks at it. */
	rc = vgpu_mdev_init_types(main_device, &main_driver);
	if (rc)
		goto unregister_device;
	rc = mdev_register_parent(&main_parent, main_device, &main_driver,
				  main_types, ARRAY_SIZE(main_types));
	if (rc)
		goto finish_types;
	return 0;

finish_types:
	vgpu_mdev_finish_types();
unregister_device:
	device_unregister(main_device);
unregister_driver:
	mdev_unregister_driver(&main_driver);
finish_chardevs:
	vgpu_mdev_finish_chardevs();
destroy_class:
	class_destroy(vgpu_mdev_class);
	return rc;
}

static void __exit main_exit(void)
{
	vgpu_mdev_finish_types();
	mdev_unregister_parent(&main_parent);
	device_unregister(main_device);
	mdev_unregister_driver(&main_driver);
	vgpu_mdev_finish_chardevs();
	class_destroy(vgpu_mdev_class);
}

module_init(main_init);
module_exit(main_exit);

MODULE_DESCRIPTION("OpenVGPU: mediated virtio-gpu devices for VMs, by VFIO");
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
