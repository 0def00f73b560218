// SPDX-License-Identifier: GPL-2.0-or-later
/* What the PF shows in sysfs besides what all PFs do: how it booted. */
#include <linux/sysfs.h>

#include "core.h"
#include "kernel/mgr/dir.h"
#include "pf_files.h"

static struct vgpu_core *sysfs_core(struct kobject *kobj)
{
	return container_of(vgpu_dir_owner(kobj), struct vgpu_core, pf);
}

static ssize_t boot_driver_ms_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", sysfs_core(kobj)->boot_driver_ms);
}
static struct kobj_attribute boot_driver_ms_file = __ATTR_RO(boot_driver_ms);

static ssize_t boot_firmware_ms_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", sysfs_core(kobj)->boot_firmware_ms);
}
static struct kobj_attribute boot_firmware_ms_file = __ATTR_RO(boot_firmware_ms);

static struct attribute *attributes[] = {
	&boot_driver_ms_file.attr,
	&boot_firmware_ms_file.attr,
	NULL,
};
static const struct attribute_group group = {.attrs = attributes};

int vgpu_core_add_files(struct vgpu_core *core)
{
	down_read(&core->gsp_lock);
	vgpu_pf_set_info(&core->pf, &core->info);
	up_read(&core->gsp_lock);
	core->pf.chip = core->hw.chip->name;
	core->pf.fb_host_bytes = core->resources.host_bytes;
	return vgpu_pf_add_dir(&core->pf, &group);
}
