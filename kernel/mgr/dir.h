/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders in sysfs below a device, each of somebody's. */
#ifndef VGPU_KERNEL_MGR_DIR_H
#define VGPU_KERNEL_MGR_DIR_H

#include <linux/kobject.h>
#include <linux/sysfs.h>

/*
 * A folder lives for as long as the kernel needs it, its owner for as long as it
 * likes: once vgpu_dir_remove() returns no file of it is being read or written.
 */
struct vgpu_dir {
	struct kobject kobj;
	void *owner;
};

/*
 * A folder @name in @parent with the files of @groups (which may be NULL, and
 * ends with NULL). An ERR_PTR() on failure.
 */
struct vgpu_dir *vgpu_dir_create(struct kobject *parent, const char *name,
				 void *owner,
				 const struct attribute_group **groups);

/* With all that is in it but folders. NULL is nothing to remove. */
void vgpu_dir_remove(struct vgpu_dir *dir);

/* Of a file's folder. */
static inline void *vgpu_dir_owner(struct kobject *kobj)
{
	return container_of(kobj, struct vgpu_dir, kobj)->owner;
}

#endif
