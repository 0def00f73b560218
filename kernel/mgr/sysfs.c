// SPDX-License-Identifier: GPL-2.0-or-later
/* The manager in sysfs: types, placement, scheduler. */
#include <linux/err.h>

#include "mgr.h"

/* docs/dev/abi/sysfs-vgpu-manager says what is shown and taken. */

#define TYPE_FILE(name, format, value)                                         \
	static ssize_t name##_show(struct kobject *kobj,                       \
				   struct kobj_attribute *attr, char *buf)     \
	{                                                                      \
		const struct vgpu_type_files *files = vgpu_dir_owner(kobj);    \
		const struct vgpu_type *type = files->type;                    \
                                                                               \
		return sysfs_emit(buf, format "\n", value);                    \
	}                                                                      \
	static struct kobj_attribute name##_file = __ATTR_RO(name)

TYPE_FILE(name, "%s", type->name);
TYPE_FILE(class, "%s", type->class);
TYPE_FILE(framebuffer, "%llu", vgpu_place_fb_bytes(&files->mgr->place, type));
TYPE_FILE(heads, "%u", type->heads);
TYPE_FILE(max_width, "%u", type->max_width);
TYPE_FILE(max_height, "%u", type->max_height);
TYPE_FILE(frame_rate_limit, "%u", type->frame_rate_limit);
TYPE_FILE(max_instances, "%u", type->max_instances);
TYPE_FILE(available_instances, "%u", vgpu_mgr_count_available(files->mgr, type));

static struct attribute *type_attributes[] = {
	&name_file.attr,
	&class_file.attr,
	&framebuffer_file.attr,
	&heads_file.attr,
	&max_width_file.attr,
	&max_height_file.attr,
	&frame_rate_limit_file.attr,
	&max_instances_file.attr,
	&available_instances_file.attr,
	NULL,
};
static const struct attribute_group type_group = {.attrs = type_attributes};
static const struct attribute_group *type_groups[] = {&type_group, NULL};

/* A choice by its names in a row, the chosen one in brackets. */
static ssize_t sysfs_print_choice(char *buf, const char *const *names,
				  u32 count, u32 chosen)
{
	int at = 0;
	u32 i;

	for (i = 0; i < count; i++)
		at += sysfs_emit_at(buf, at, i == chosen ? "%s[%s]" : "%s%s",
				    i ? " " : "", names[i]);
	return at + sysfs_emit_at(buf, at, "\n");
}

/* In the order of enum vgpu_place_mode. */
static const char *const modes[] = {"homogeneous", "heterogeneous"};

/* Its folder is the driver's, so the manager is found by the file. */
static ssize_t placement_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct vgpu_mgr *mgr =
		container_of(attr, struct vgpu_mgr, placement_file);

	return sysfs_print_choice(buf, modes, ARRAY_SIZE(modes),
				  READ_ONCE(mgr->mode));
}

static ssize_t placement_store(struct kobject *kobj, struct kobj_attribute *attr,
			       const char *buf, size_t count)
{
	struct vgpu_mgr *mgr =
		container_of(attr, struct vgpu_mgr, placement_file);
	int mode = __sysfs_match_string(modes, ARRAY_SIZE(modes), buf);
	int rc;

	if (mode < 0)
		return mode;
	rc = vgpu_mgr_set_mode(mgr, (enum vgpu_place_mode)mode);
	return rc ? rc : (ssize_t)count;
}

/* In the order of enum vgpu_task_policy, from VGPU_TASK_BEST_EFFORT on. */
static const char *const policies[] = {"best_effort", "equal_share",
				       "fixed_share"};

static ssize_t policy_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct vgpu_mgr *mgr = vgpu_dir_owner(kobj);

	return sysfs_print_choice(buf, policies, ARRAY_SIZE(policies),
				  READ_ONCE(mgr->policy) - VGPU_TASK_BEST_EFFORT);
}

static ssize_t policy_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	int policy = __sysfs_match_string(policies, ARRAY_SIZE(policies), buf);
	int rc;

	if (policy < 0)
		return policy;
	rc = vgpu_mgr_set_policy(vgpu_dir_owner(kobj),
				 (u32)policy + VGPU_TASK_BEST_EFFORT);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute policy_file = __ATTR_RW(policy);

static ssize_t timeslice_us_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct vgpu_mgr *mgr = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", READ_ONCE(mgr->timeslice_us));
}

static ssize_t timeslice_us_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t count)
{
	u32 us;
	int rc = kstrtou32(buf, 10, &us);

	if (rc == 0)
		rc = vgpu_mgr_set_timeslice(vgpu_dir_owner(kobj), us);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute timeslice_us_file = __ATTR_RW(timeslice_us);

static ssize_t timeslice_min_us_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	struct vgpu_mgr *mgr = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", mgr->timeslice_min_us);
}
static struct kobj_attribute timeslice_min_us_file = __ATTR_RO(timeslice_min_us);

static ssize_t timeslice_max_us_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	struct vgpu_mgr *mgr = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", mgr->timeslice_max_us);
}
static struct kobj_attribute timeslice_max_us_file = __ATTR_RO(timeslice_max_us);

static struct attribute *scheduler_attributes[] = {
	&policy_file.attr,
	&timeslice_us_file.attr,
	&timeslice_min_us_file.attr,
	&timeslice_max_us_file.attr,
	NULL,
};
static const struct attribute_group scheduler_group = {
	.attrs = scheduler_attributes,
};
static const struct attribute_group *scheduler_groups[] = {&scheduler_group,
							   NULL};

static ssize_t type_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	u32 id;
	int rc = kstrtou32(buf, 10, &id);

	if (rc == 0)
		rc = vgpu_mgr_set_all_types(vgpu_dir_owner(kobj), id);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute bulk_type_file = __ATTR_WO(type);

static struct attribute *bulk_attributes[] = {&bulk_type_file.attr, NULL};
static const struct attribute_group bulk_group = {.attrs = bulk_attributes};
static const struct attribute_group *bulk_groups[] = {&bulk_group, NULL};

/* A folder in @ret_dir, unless there was an error before. */
static int sysfs_add_dir(struct kobject *parent, const char *name, void *owner,
			 const struct attribute_group **groups, int rc,
			 struct vgpu_dir **ret_dir)
{
	struct vgpu_dir *dir;

	if (rc)
		return rc;
	dir = vgpu_dir_create(parent, name, owner, groups);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	*ret_dir = dir;
	return 0;
}

static int sysfs_add_types(struct vgpu_mgr *mgr)
{
	char name[12];
	int rc = 0;
	u32 i;

	for (i = 0; i < mgr->types.count; i++) {
		struct vgpu_type_files *files = &mgr->type_files[i];

		files->mgr = mgr;
		files->type = &mgr->types.types[i];
		/* One that the GPU is too small for is not there. */
		if (!mgr->place.fb ||
		    !vgpu_place_fb_bytes(&mgr->place, files->type))
			continue;
		snprintf(name, sizeof(name), "%u", files->type->id);
		rc = sysfs_add_dir(&mgr->types_dir->kobj, name, files,
				   type_groups, rc, &files->dir);
	}
	return rc;
}

int vgpu_mgr_add_files(struct vgpu_mgr *mgr)
{
	struct kobject *parent = mgr->pf->dir;
	int rc;
	u32 i;

	mgr->placement_file = (struct kobj_attribute)__ATTR_RW(placement);
	sysfs_attr_init(&mgr->placement_file.attr);
	rc = sysfs_create_file(parent, &mgr->placement_file.attr);
	mgr->has_files = rc == 0;
	rc = sysfs_add_dir(parent, "types", mgr, NULL, rc, &mgr->types_dir);
	rc = sysfs_add_dir(parent, "scheduler", mgr, scheduler_groups, rc,
			   &mgr->scheduler_dir);
	rc = sysfs_add_dir(parent, ".bulk", mgr, bulk_groups, rc, &mgr->bulk_dir);
	if (rc == 0)
		rc = sysfs_add_types(mgr);
	for (i = 0; rc == 0 && i < mgr->vf_count; i++)
		rc = vgpu_vf_add_files(&mgr->vfs[i]);
	return rc;
}

void vgpu_mgr_remove_files(struct vgpu_mgr *mgr)
{
	u32 i;

	for (i = 0; i < mgr->vf_count; i++)
		vgpu_vf_remove_files(&mgr->vfs[i]);
	for (i = 0; i < mgr->types.count; i++)
		vgpu_dir_remove(mgr->type_files[i].dir);
	vgpu_dir_remove(mgr->bulk_dir);
	vgpu_dir_remove(mgr->scheduler_dir);
	vgpu_dir_remove(mgr->types_dir);
	if (mgr->has_files)
		sysfs_remove_file(mgr->pf->dir, &mgr->placement_file.attr);
	mgr->has_files = false;
}
