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

static ssize_t main_show_description(struct mdev_type *type, char *buf)
{
	return sysfs_emit(buf, "virtio-gpu, served by a process\n");
}

static int main_probe(struct mdev_device *mdev)
{
	struct vgpu_mdev *v;
	int rc;

	v = vfio_alloc_device(vgpu_mdev, vdev, &mdev->dev, &vgpu_mdev_vfio_ops);
	if (IS_ERR(v))
		return PTR_ERR(v);
	rc = vfio_register_emulated_iommu_dev(&v->vdev);
	if (rc)
		goto put;
	rc = vgpu_mdev_add_chardev(v, &mdev->dev);
	if (rc) {
		vfio_unregister_group_dev(&v->vdev);
		goto put;
	}
	dev_set_drvdata(&mdev->dev, v);
	return 0;
put:
	vfio_put_device(&v->vdev);
	return rc;
}

static void main_remove(struct mdev_device *mdev)
{
	struct vgpu_mdev *v = dev_get_drvdata(&mdev->dev);

	/* Waits for the VMM to let go, which still is served. */
	vfio_unregister_group_dev(&v->vdev);
	vgpu_mdev_remove_chardev(v);
	vfio_put_device(&v->vdev);
}

static struct mdev_driver main_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = INSTANCES_MAX,
	.driver =
		{
			.name = KBUILD_MODNAME,
			.owner = THIS_MODULE,
			.mod_name = KBUILD_MODNAME,
		},
	.probe = main_probe,
	.remove = main_remove,
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
	rc = mdev_register_parent(&main_parent, main_device, &main_driver,
				  main_types, ARRAY_SIZE(main_types));
	if (rc)
		goto unregister_device;
	return 0;

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
