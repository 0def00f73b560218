// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the PF shows of itself in sysfs: docs/dev/abi/sysfs-vgpu-core, but for
 * the chip and how it booted.
 */
#include <linux/debugfs.h>
#include <linux/err.h>

#include "adapter.h"
#include "kernel/mgr/dir.h"

static struct nouveau_pf *sysfs_pf(struct kobject *kobj)
{
	return vgpu_dir_owner(kobj);
}

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", sysfs_pf(kobj)->info.name);
}
static struct kobj_attribute name_file = __ATTR_RO(name);

static ssize_t firmware_version_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", sysfs_pf(kobj)->pf.abi->version);
}
static struct kobj_attribute firmware_version_file = __ATTR_RO(firmware_version);

static ssize_t framebuffer_total_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sysfs_pf(kobj)->info.fb_bytes);
}
static struct kobj_attribute framebuffer_total_file =
	__ATTR_RO(framebuffer_total);

static ssize_t framebuffer_reserved_show(struct kobject *kobj,
					 struct kobj_attribute *attr, char *buf)
{
	const struct vgpu_static_info *info = &sysfs_pf(kobj)->info;
	u64 reserved = info->fb_bytes;
	u32 i;

	for (i = 0; i < info->region_count; i++)
		if (info->regions[i].is_usable)
			reserved -= min(reserved, info->regions[i].bytes);
	return sysfs_emit(buf, "%llu\n", reserved);
}
static struct kobj_attribute framebuffer_reserved_file =
	__ATTR_RO(framebuffer_reserved);

static ssize_t framebuffer_host_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sysfs_pf(kobj)->host.fb_end);
}
static struct kobj_attribute framebuffer_host_file = __ATTR_RO(framebuffer_host);

static ssize_t channels_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%u\n", sysfs_pf(kobj)->chids.total);
}
static struct kobj_attribute channels_file = __ATTR_RO(channels);

static ssize_t channels_host_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", sysfs_pf(kobj)->chids.own);
}
static struct kobj_attribute channels_host_file = __ATTR_RO(channels_host);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct nouveau_pf *npf = sysfs_pf(kobj);
	const char *why = READ_ONCE(npf->why_wedged);

	if (!nouveau_vgpu_is_wedged(npf->gpu))
		return sysfs_emit(buf, "ready\n");
	return sysfs_emit(buf, "wedged: %s\n",
			  why ? why : "the firmware does not answer");
}
static struct kobj_attribute state_file = __ATTR_RO(state);

static struct attribute *attributes[] = {
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

static const struct attribute_group group = {
	.attrs = attributes,
};
static const struct attribute_group *groups[] = {&group, NULL};

int adapter_add_files(struct nouveau_pf *npf)
{
	struct vgpu_dir *dir;
	char name[32];

	dir = vgpu_dir_create(&npf->pf.pdev->dev.kobj, "vgpu", npf, groups);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	npf->dir = dir;
	npf->pf.dir = &dir->kobj;
	snprintf(name, sizeof(name), "vgpu-%s", pci_name(npf->pf.pdev));
	npf->debugfs = debugfs_create_dir(name, NULL);
	npf->pf.debugfs = npf->debugfs;
	return 0;
}

void adapter_remove_files(struct nouveau_pf *npf)
{
	vgpu_dir_remove(npf->dir);
	debugfs_remove(npf->debugfs);
}
