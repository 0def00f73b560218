// SPDX-License-Identifier: GPL-2.0-or-later
/* What the PF shows of itself in sysfs: docs/abi/sysfs-vgpu-core. */
#include <linux/sysfs.h>

#include "chid.h"
#include "core.h"

/*
 * The files come when the GPU is bound and are gone, with their last reader,
 * before it is unbound. They read what is in struct vgpu_core, not what is the
 * GSP's, which may end meanwhile; what a boot fills in waits for it.
 */
static ssize_t chip_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", core->chip->name);
}
static DEVICE_ATTR_RO(chip);

static ssize_t name_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int bytes;

	down_read(&core->gsp_lock);
	bytes = sysfs_emit(buf, "%s\n", core->info.name);
	up_read(&core->gsp_lock);
	return bytes;
}
static DEVICE_ATTR_RO(name);

static ssize_t firmware_version_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", core->abi->version);
}
static DEVICE_ATTR_RO(firmware_version);

static ssize_t framebuffer_total_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	int bytes;

	down_read(&core->gsp_lock);
	bytes = sysfs_emit(buf, "%llu\n", core->info.fb_bytes);
	up_read(&core->gsp_lock);
	return bytes;
}
static DEVICE_ATTR_RO(framebuffer_total);

/* All that the firmware does not say is usable. */
static ssize_t framebuffer_reserved_show(struct device *dev,
					 struct device_attribute *attr, char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
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
static DEVICE_ATTR_RO(framebuffer_reserved);

static ssize_t channels_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%u\n", VGPU_CHIDS_MAX);
}
static DEVICE_ATTR_RO(channels);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);
	const char *why = READ_ONCE(core->why_wedged);

	if (why)
		return sysfs_emit(buf, "wedged: %s\n", why);
	return sysfs_emit(buf, "ready\n");
}
static DEVICE_ATTR_RO(state);

static ssize_t boot_driver_ms_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", core->boot_driver_ms);
}
static DEVICE_ATTR_RO(boot_driver_ms);

static ssize_t boot_firmware_ms_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct vgpu_core *core = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", core->boot_firmware_ms);
}
static DEVICE_ATTR_RO(boot_firmware_ms);

static struct attribute *attributes[] = {
	&dev_attr_chip.attr,
	&dev_attr_name.attr,
	&dev_attr_firmware_version.attr,
	&dev_attr_framebuffer_total.attr,
	&dev_attr_framebuffer_reserved.attr,
	&dev_attr_channels.attr,
	&dev_attr_state.attr,
	&dev_attr_boot_driver_ms.attr,
	&dev_attr_boot_firmware_ms.attr,
	NULL,
};

static const struct attribute_group group = {
	.name = "vgpu",
	.attrs = attributes,
};

const struct attribute_group *vgpu_core_sysfs_groups[] = {&group, NULL};
