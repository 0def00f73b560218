// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files on a VF's own device: nvidia/, as tools for NVIDIA's manager know
 * them, and a link to it from the VF's folder.
 */
#include "mgr.h"

static ssize_t creatable_vgpu_types_show(struct device *dev,
					 struct device_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_mgr_get_vf(to_pci_dev(dev));
	int at = 0;
	u32 i;

	if (!vf)
		return -ENODEV;
	if (!READ_ONCE(vf->type)) {
		at = sysfs_emit(buf, "ID    : vGPU Name\n");
		for (i = 0; i < vf->mgr->types.count; i++) {
			const struct vgpu_type *type = &vf->mgr->types.types[i];

			if (vgpu_mgr_count_available(vf->mgr, type))
				at += sysfs_emit_at(buf, at, "%-5u : %s\n",
						    type->id, type->name);
		}
	}
	vgpu_mgr_put(vf->mgr);
	return at;
}
static DEVICE_ATTR_RO(creatable_vgpu_types);

static ssize_t current_vgpu_type_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_mgr_get_vf(to_pci_dev(dev));
	const struct vgpu_type *type;
	int at;

	if (!vf)
		return -ENODEV;
	type = READ_ONCE(vf->type);
	at = sysfs_emit(buf, "%u\n", type ? type->id : 0);
	vgpu_mgr_put(vf->mgr);
	return at;
}

static ssize_t current_vgpu_type_store(struct device *dev,
				       struct device_attribute *attr,
				       const char *buf, size_t count)
{
	struct vgpu_vf *vf = vgpu_mgr_get_vf(to_pci_dev(dev));
	u32 id;
	int rc;

	if (!vf)
		return -ENODEV;
	rc = kstrtou32(buf, 10, &id);
	if (rc == 0)
		rc = vgpu_vf_set_type(vf, id);
	vgpu_mgr_put(vf->mgr);
	return rc ? rc : (ssize_t)count;
}
static DEVICE_ATTR_RW(current_vgpu_type);

static struct attribute *attributes[] = {
	&dev_attr_creatable_vgpu_types.attr,
	&dev_attr_current_vgpu_type.attr,
	NULL,
};
static const struct attribute_group group = {
	.name = "nvidia",
	.attrs = attributes,
};

int vgpu_vf_add_device_files(struct vgpu_vf *vf, struct pci_dev *pdev)
{
	int rc;

	if (vf->has_device_files)
		return 0;
	rc = sysfs_create_link(&vf->dir->kobj, &pdev->dev.kobj, "device");
	if (rc)
		return rc;
	rc = sysfs_create_group(&pdev->dev.kobj, &group);
	if (rc)
		sysfs_remove_link(&vf->dir->kobj, "device");
	vf->has_device_files = rc == 0;
	return rc;
}

void vgpu_vf_remove_device_files(struct vgpu_vf *vf, struct pci_dev *pdev)
{
	if (!vf->has_device_files)
		return;
	vf->has_device_files = false;
	sysfs_remove_group(&pdev->dev.kobj, &group);
	if (vf->dir)
		sysfs_remove_link(&vf->dir->kobj, "device");
}
