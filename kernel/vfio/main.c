// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vgpu_vfio_pci: gives the VFs of a GPU that has a vGPU manager to VMs. It is
 * vfio-pci, but for what a VF and its vGPU differ in.
 */
#include <linux/module.h>

#include "compat.h"
#include "vfio.h"

static int main_init_dev(struct vfio_device *device)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);

	mutex_init(&v->lock);
	vgpu_vfio_init_lost(v);
	/* It is bound after its GPU, which cannot get another firmware meanwhile. */
	if (vgpu_vf_can_migrate(to_pci_dev(device->dev)))
		vgpu_vfio_init_migration(v);
	return vfio_pci_core_init_dev(device);
}

static void main_release_dev(struct vfio_device *device)
{
	mutex_destroy(&vgpu_vfio_of(device)->lock);
	vfio_pci_core_release_dev(device);
}

static int main_open_vf(struct vfio_device *device)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	int rc;

	if (vgpu_vfio_check_gone(v))
		return -ENODEV;
	rc = vfio_pci_core_enable(&v->core);
	if (rc)
		return rc;
	rc = vgpu_vfio_start(v);
	if (rc) {
		vfio_pci_core_disable(&v->core);
		return rc;
	}
	vfio_pci_core_finish_enable(&v->core);
	return 0;
}

static void main_close_vf(struct vfio_device *device)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);

	vgpu_vfio_stop(v);
	if (vgpu_vfio_check_gone(v))
		v->core.reset_works = false;
	vfio_pci_core_close_device(device);
}

static long main_ioctl_vf(struct vfio_device *device, unsigned int cmd,
			  unsigned long arg)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	long rc;

	if (vgpu_vfio_is_lost(v))
		return -ENODEV;
	switch (cmd) {
	case VFIO_DEVICE_IOEVENTFD:
		/* What it writes knows no type's BAR1, and does not end. */
		return -ENOTTY;
	case VFIO_DEVICE_RESET:
		if (vgpu_vfio_check_gone(v))
			return -ENODEV;
		rc = vfio_pci_core_ioctl(device, cmd, arg);
		/* That its vGPU was not reset, the VF's reset does not say. */
		return rc == 0 && vgpu_vfio_is_lost(v) ? -ENODEV : rc;
#if !COMPAT_HAS_REGION_INFO_OP
	case VFIO_DEVICE_GET_REGION_INFO:
		return vgpu_vfio_ioctl_region_info(v, arg);
#endif
	default:
		return vfio_pci_core_ioctl(device, cmd, arg);
	}
}

static int main_feature_vf(struct vfio_device *device, u32 flags,
			   void __user *arg, size_t bytes)
{
	if (vgpu_vfio_is_lost(vgpu_vfio_of(device)))
		return -ENODEV;
	return vfio_pci_core_ioctl_feature(device, flags, arg, bytes);
}

static const struct vfio_device_ops vf_ops = {
	.name = "vgpu-vfio-pci",
	.init = main_init_dev,
	.release = main_release_dev,
	.open_device = main_open_vf,
	.close_device = main_close_vf,
	.ioctl = main_ioctl_vf,
#if COMPAT_HAS_REGION_INFO_OP
	.get_region_info_caps = vgpu_vfio_get_region_info,
#endif
	.device_feature = main_feature_vf,
	.read = vgpu_vfio_read,
	.write = vgpu_vfio_write,
	.mmap = vgpu_vfio_mmap,
	COMPAT_CORE_OPS,
};

static int main_open_whole(struct vfio_device *device)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	int rc = vfio_pci_core_enable(&v->core);

	if (rc == 0)
		vfio_pci_core_finish_enable(&v->core);
	return rc;
}

/*
 * A whole GPU has the ids of its VFs, so that who looks for the driver of one
 * of them to give to a VM finds this one. To it, this is vfio-pci.
 */
static const struct vfio_device_ops whole_ops = {
	.name = "vgpu-vfio-pci-whole",
	.init = main_init_dev,
	.release = main_release_dev,
	.open_device = main_open_whole,
	.close_device = vfio_pci_core_close_device,
	.ioctl = vfio_pci_core_ioctl,
#if COMPAT_HAS_REGION_INFO_OP
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#endif
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	COMPAT_CORE_OPS,
};

static int vgpu_vfio_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vgpu_vfio *v;
	int rc;

	v = vfio_alloc_device(vgpu_vfio, core.vdev, &pdev->dev,
			      pdev->is_virtfn ? &vf_ops : &whole_ops);
	if (IS_ERR(v))
		return PTR_ERR(v);
	dev_set_drvdata(&pdev->dev, &v->core);
	rc = vfio_pci_core_register_device(&v->core);
	if (rc)
		vfio_put_device(&v->core.vdev);
	return rc;
}

static void vgpu_vfio_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	/* Its user is not only asked to let go, for there is nothing to go on with. */
	vgpu_vfio_check_gone(container_of(core, struct vgpu_vfio, core));
	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

/* As vgpu_core's; taken only where somebody asks for this driver by its name. */
static const struct pci_device_id vgpu_vfio_ids[] = {
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26b1)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26b2)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26b5)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26b8)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26b9)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x26ba)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x27b6)},
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x27b8)},
	{},
};
MODULE_DEVICE_TABLE(pci, vgpu_vfio_ids);

static struct pci_driver vgpu_vfio_driver = {
	.name = KBUILD_MODNAME,
	.id_table = vgpu_vfio_ids,
	.probe = vgpu_vfio_probe,
	.remove = vgpu_vfio_remove,
	.err_handler = &vgpu_vfio_error_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(vgpu_vfio_driver);

MODULE_DESCRIPTION("OpenVGPU: VFs of NVIDIA GPUs for VMs, by VFIO");
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
