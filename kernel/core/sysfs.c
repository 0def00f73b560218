// SPDX-License-Identifier: GPL-2.0-or-later
/* What the PF shows of itself in sysfs: docs/dev/abi/sysfs-vgpu-core. */
#include <linux/err.h>
#include <linux/sysfs.h>

#include "core.h"
#include "kernel/mgr/dir.h"

/*
 * The files come when the GPU is up and are gone, with their last reader,
 * before it is taken down. They read what is in struct vgpu_core, not what is
 * the GSP's, which may end meanwhile; what a boot fills in waits for it.
 */
static ssize_t chip_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%s\n", core->hw.chip->name);
}
static struct kobj_attribute chip_file = __ATTR_RO(chip);

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);
	int bytes;

	down_read(&core->gsp_lock);
	bytes = sysfs_emit(buf, "%s\n", core->info.name);
	up_read(&core->gsp_lock);
	return bytes;
}
static struct kobj_attribute name_file = __ATTR_RO(name);

static ssize_t firmware_version_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%s\n", core->abi->version);
}
static struct kobj_attribute firmware_version_file = __ATTR_RO(firmware_version);

static ssize_t framebuffer_total_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);
	int bytes;

	down_read(&core->gsp_lock);
	bytes = sysfs_emit(buf, "%llu\n", core->info.fb_bytes);
	up_read(&core->gsp_lock);
	return bytes;
}
static struct kobj_attribute framebuffer_total_file =
	__ATTR_RO(framebuffer_total);

/* All that the firmware does not say is usable. */
static ssize_t framebuffer_reserved_show(struct kobject *kobj,
					 struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);
	u64 reserved;
	u32 i;

	down_read(&core->gsp_lock);
	reserved = core->info.fb_bytes;
	for (i = 0; i < core->info.region_count; i++)
		if (core->info.regions[i].is_usable)
			reserved -= min(reserved, core->info.regions[i].bytes);
	up_read(&core->gsp_lock);
	return sysfs_emit(buf, "%llu\n", reserved);
}
static struct kobj_attribute framebuffer_reserved_file =
	__ATTR_RO(framebuffer_reserved);

static ssize_t framebuffer_host_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%llu\n", core->resources.host_bytes);
}
static struct kobj_attribute framebuffer_host_file = __ATTR_RO(framebuffer_host);

static ssize_t channels_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", core->resources.chids.total);
}
static struct kobj_attribute channels_file = __ATTR_RO(channels);

static ssize_t channels_host_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", core->resources.chids.own);
}
static struct kobj_attribute channels_host_file = __ATTR_RO(channels_host);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);
	const char *why = READ_ONCE(core->recovery.why_wedged);

	if (why)
		return sysfs_emit(buf, "wedged: %s\n", why);
	return sysfs_emit(buf, "ready\n");
}
static struct kobj_attribute state_file = __ATTR_RO(state);

static ssize_t boot_driver_ms_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", core->boot_driver_ms);
}
static struct kobj_attribute boot_driver_ms_file = __ATTR_RO(boot_driver_ms);

static ssize_t boot_firmware_ms_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	struct vgpu_core *core = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", core->boot_firmware_ms);
}
static struct kobj_attribute boot_firmware_ms_file = __ATTR_RO(boot_firmware_ms);

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
	&boot_driver_ms_file.attr,
	&boot_firmware_ms_file.attr,
	NULL,
};

static const struct attribute_group group = {
	.attrs = attributes,
};
static const struct attribute_group *groups[] = {&group, NULL};

int vgpu_core_add_files(struct vgpu_core *core)
{
	struct vgpu_dir *dir;

	dir = vgpu_dir_create(&core->hw.pdev->dev.kobj, "vgpu", core, groups);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	core->dir = dir;
	return 0;
}

void vgpu_core_remove_files(struct vgpu_core *core)
{
	vgpu_dir_remove(core->dir);
	core->dir = NULL;
}
