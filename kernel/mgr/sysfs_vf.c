// SPDX-License-Identifier: GPL-2.0-or-later
/* A VF in sysfs: its type, its place, how it is. */
#include <linux/err.h>

#include "mgr.h"

static ssize_t type_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);
	const struct vgpu_type *type = READ_ONCE(vf->type);

	return sysfs_emit(buf, "%u\n", type ? type->id : 0);
}

static ssize_t type_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	u32 id;
	int rc = kstrtou32(buf, 10, &id);

	if (rc == 0)
		rc = vgpu_vf_set_type(vgpu_dir_owner(kobj), id);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute type_file = __ATTR_RW(type);

static ssize_t placement_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);
	u32 id = READ_ONCE(vf->wanted_place);

	if (READ_ONCE(vf->type))
		id = vf->place.id;
	if (id == VGPU_PLACE_AUTO)
		return sysfs_emit(buf, "auto\n");
	return sysfs_emit(buf, "%u\n", id);
}

static ssize_t placement_store(struct kobject *kobj, struct kobj_attribute *attr,
			       const char *buf, size_t count)
{
	u32 id = VGPU_PLACE_AUTO;
	int rc = 0;

	if (!sysfs_streq(buf, "auto")) {
		rc = kstrtou32(buf, 10, &id);
		if (rc == 0 && id == VGPU_PLACE_AUTO)
			rc = -ERANGE;
	}
	if (rc == 0)
		rc = vgpu_vf_set_place(vgpu_dir_owner(kobj), id);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute placement_file = __ATTR_RW(placement);

static ssize_t uuid_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	uuid_t uuid;

	mutex_lock(&vf->mgr->lock);
	uuid = vf->uuid;
	mutex_unlock(&vf->mgr->lock);
	if (uuid_is_null(&uuid))
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%pU\n", &uuid);
}

static ssize_t uuid_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	size_t length = count && buf[count - 1] == '\n' ? count - 1 : count;
	uuid_t uuid = uuid_null;
	int rc = 0;

	if (!sysfs_streq(buf, "none") &&
	    (length != UUID_STRING_LEN || uuid_parse(buf, &uuid) ||
	     uuid_is_null(&uuid)))
		rc = -EINVAL;
	if (rc == 0)
		rc = vgpu_vf_set_uuid(vgpu_dir_owner(kobj), &uuid);
	return rc ? rc : (ssize_t)count;
}
static struct kobj_attribute uuid_file = __ATTR_RW(uuid);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return vgpu_vf_print_state(vgpu_dir_owner(kobj), buf);
}
static struct kobj_attribute state_file = __ATTR_RO(state);

static ssize_t framebuffer_used_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", vgpu_vf_fb_used(vgpu_dir_owner(kobj)));
}
static struct kobj_attribute framebuffer_used_file = __ATTR_RO(framebuffer_used);

static ssize_t guest_driver_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, READ_ONCE(vf->is_driver_loaded) ? "loaded\n"
							       : "none\n");
}
static struct kobj_attribute guest_driver_file = __ATTR_RO(guest_driver);

static ssize_t opener_pid_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", READ_ONCE(vf->opener));
}
/* Not of everybody's business; vgpu-own gives it to vgpud. */
static struct kobj_attribute opener_pid_file = __ATTR_RO_MODE(opener_pid, 0400);

static ssize_t losses_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", READ_ONCE(vf->losses));
}
static struct kobj_attribute losses_file = __ATTR_RO(losses);

static ssize_t channel_errors_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", READ_ONCE(vf->channel_errors));
}
static struct kobj_attribute channel_errors_file = __ATTR_RO(channel_errors);

static ssize_t error_messages_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%u\n", READ_ONCE(vf->messages));
}
static struct kobj_attribute error_messages_file = __ATTR_RO(error_messages);

static ssize_t sysfs_vf_print_use(struct kobject *kobj, enum vgpu_use use,
				  char *buf)
{
	struct vgpu_vf *vf = vgpu_dir_owner(kobj);

	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(vf->is_open) ? READ_ONCE(vf->engine_ns[use])
						 : 0);
}

static ssize_t graphics_ns_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_vf_print_use(kobj, VGPU_USE_GRAPHICS, buf);
}
static struct kobj_attribute graphics_ns_file = __ATTR_RO(graphics_ns);

static ssize_t encoder_ns_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_vf_print_use(kobj, VGPU_USE_ENCODER, buf);
}
static struct kobj_attribute encoder_ns_file = __ATTR_RO(encoder_ns);

static ssize_t decoder_ns_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_vf_print_use(kobj, VGPU_USE_DECODER, buf);
}
static struct kobj_attribute decoder_ns_file = __ATTR_RO(decoder_ns);

static struct attribute *attributes[] = {
	&type_file.attr,
	&placement_file.attr,
	&uuid_file.attr,
	&state_file.attr,
	&framebuffer_used_file.attr,
	&guest_driver_file.attr,
	&opener_pid_file.attr,
	&losses_file.attr,
	&channel_errors_file.attr,
	&error_messages_file.attr,
	&graphics_ns_file.attr,
	&encoder_ns_file.attr,
	&decoder_ns_file.attr,
	NULL,
};
static const struct attribute_group group = {.attrs = attributes};
static const struct attribute_group *groups[] = {&group, NULL};

/* Whoever polls its state is woken, as poll(2) on sysfs does it. */
void vgpu_vf_state_changed(struct vgpu_vf *vf)
{
	struct vgpu_mgr *mgr = vf->mgr;

	mutex_lock(&mgr->lock);
	if (vf->dir)
		sysfs_notify(&vf->dir->kobj, NULL, "state");
	mutex_unlock(&mgr->lock);
}

int vgpu_vf_add_files(struct vgpu_vf *vf)
{
	struct vgpu_dir *dir;
	char name[8];

	snprintf(name, sizeof(name), "vf%u", vf->gfid);
	dir = vgpu_dir_create(vf->mgr->pf->dir, name, vf, groups);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	vf->dir = dir;
	return 0;
}

void vgpu_vf_remove_files(struct vgpu_vf *vf)
{
	struct vgpu_dir *dir = vf->dir;

	mutex_lock(&vf->mgr->lock);
	vf->dir = NULL;
	mutex_unlock(&vf->mgr->lock);
	/* Its readers and writers may wait for that lock. */
	vgpu_dir_remove(dir);
}
