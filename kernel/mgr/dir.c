// SPDX-License-Identifier: GPL-2.0-or-later
/* Folders in sysfs below a device, each of somebody's. */
#include "dir.h"

#include <linux/err.h>
#include <linux/export.h>
#include <linux/slab.h>

static void dir_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct vgpu_dir, kobj));
}

static const struct kobj_type dir_type = {
	.release = dir_release,
	.sysfs_ops = &kobj_sysfs_ops,
};

struct vgpu_dir *vgpu_dir_create(struct kobject *parent, const char *name,
				 void *owner,
				 const struct attribute_group **groups)
{
	struct vgpu_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int rc;

	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->owner = owner;
	rc = kobject_init_and_add(&dir->kobj, &dir_type, parent, "%s", name);
	if (rc == 0 && groups)
		rc = sysfs_create_groups(&dir->kobj, groups);
	if (rc) {
		kobject_put(&dir->kobj);
		return ERR_PTR(rc);
	}
	return dir;
}
EXPORT_SYMBOL_GPL(vgpu_dir_create);

void vgpu_dir_remove(struct vgpu_dir *dir)
{
	if (!dir)
		return;
	kobject_del(&dir->kobj);
	kobject_put(&dir->kobj);
}
EXPORT_SYMBOL_GPL(vgpu_dir_remove);
