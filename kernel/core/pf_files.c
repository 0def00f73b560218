// SPDX-License-Identifier: GPL-2.0-or-later
/* What each PF shows of itself in sysfs: docs/dev/abi/sysfs-vgpu-core. */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/sysfs.h>

#include "kernel/mgr/dir.h"
#include "pf_files.h"

/*
 * The files come when the GPU is up and are gone, with their last reader,
 * before it is taken down. Of what they read, only the state changes meanwhile.
 */
#define PF_FILE(file, format, value)                                           \
	static ssize_t file##_show(struct kobject *kobj,                       \
				   struct kobj_attribute *attr, char *buf)     \
	{                                                                      \
		const struct vgpu_pf *pf = vgpu_dir_owner(kobj);               \
                                                                               \
		return sysfs_emit(buf, format "\n", value);                    \
	}                                                                      \
	static struct kobj_attribute file##_file = __ATTR_RO(file)

PF_FILE(chip, "%s", pf->chip);
PF_FILE(name, "%s", pf->name);
PF_FILE(firmware_version, "%s", pf->abi->version);
PF_FILE(framebuffer_total, "%llu", pf->fb_bytes);
PF_FILE(framebuffer_reserved, "%llu", pf->fb_reserved_bytes);
PF_FILE(framebuffer_host, "%llu", pf->fb_host_bytes);
PF_FILE(channels, "%u", pf->chids->total);
PF_FILE(channels_host, "%u", pf->chids->own);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct vgpu_pf *pf = vgpu_dir_owner(kobj);
	const char *why = pf->ops->why_wedged(pf);

	if (why)
		return sysfs_emit(buf, "wedged: %s\n", why);
	return sysfs_emit(buf, "ready\n");
}
static struct kobj_attribute state_file = __ATTR_RO(state);

static struct attribute *attributes[] = {
	&chip_file.attr,
	&name_file.attr,
	&firmware_version_file.attr,
	&framebuffer_total_file.attr,
	&framebuffer_reserved_file.attr,
	&framebuffer_host_file.attr,
	&channels_file.attr,
	&channels_host_file.attr,
	&state_file.attr,
	NULL,
};
static const struct attribute_group group = {.attrs = attributes};

void vgpu_pf_set_info(struct vgpu_pf *pf, const struct vgpu_static_info *info)
{
	u64 reserved = info->fb_bytes;
	u32 i;

	for (i = 0; i < info->region_count; i++)
		if (info->regions[i].is_usable)
			reserved -= min(reserved, info->regions[i].bytes);
	pf->fb_bytes = info->fb_bytes;
	pf->fb_reserved_bytes = reserved;
	memcpy(pf->name, info->name, sizeof(pf->name));
}
EXPORT_SYMBOL_GPL(vgpu_pf_set_info);

int vgpu_pf_add_dir(struct vgpu_pf *pf, const struct attribute_group *more)
{
	const struct attribute_group *groups[] = {&group, more, NULL};
	struct vgpu_dir *dir;

	dir = vgpu_dir_create(&pf->pdev->dev.kobj, "vgpu", pf, groups);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	pf->dir = &dir->kobj;
	return 0;
}
EXPORT_SYMBOL_GPL(vgpu_pf_add_dir);

void vgpu_pf_remove_dir(struct vgpu_pf *pf)
{
	if (pf->dir)
		vgpu_dir_remove(container_of(pf->dir, struct vgpu_dir, kobj));
	pf->dir = NULL;
}
EXPORT_SYMBOL_GPL(vgpu_pf_remove_dir);
