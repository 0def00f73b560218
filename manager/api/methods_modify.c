/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The method that changes a vGPU's definition. */
#include <string.h>

#include "manager/vgpu/access.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/create.h"
#include "manager/vgpu/heads.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "methods.h"
#include "reply.h"
#include "rights.h"
#include "manager/vgpu/scheduler.h"
#include "manager/vgpu/share.h"
#include "manager/host/text.h"
#include "manager/vgpu/vnc.h"

/* What is unset stays as it is. */
struct change {
	const char *vgpu;
	const char *name; /* "": none any more */
	const char *type;
	int autostart;
	int64_t weight;
	int64_t rate;
	int64_t owner_uid;
	int64_t owner_gid;
};

static int change_type(struct vgpu_instance *instance, const char *name,
		       struct vgpu_definition *next, struct vgpu_err *err)
{
	const struct vgpu_type *type = NULL;
	char quoted[VGPU_QUOTED_SIZE];

	if (instance->phase != VGPU_PHASE_STOPPED)
		return vgpu_err_set(
			err, -EBUSY, "BadState",
			"the vGPU is %s: its type can be changed while it is stopped only (`vgpuctl stop`)",
			vgpu_instance_state(instance));
	if (instance->gpu)
		type = vgpu_capacity_find_type(instance->manager, instance->gpu,
					       name);
	if (!type)
		return vgpu_err_set(
			err, -ENOENT, "NoSuchType",
			"%s has no type '%s': `vgpuctl types` lists all there are",
			next->gpu, vgpu_text_quote(quoted, name));
	vgpu_definition_set_type(next, type);
	next->place =
		(struct vgpu_extent){.size = type->framebuffer_mib * VGPU_MIB};
	vgpu_heads_fit(next);
	return 0;
}

static int change_share(struct vgpu_instance *instance,
			const struct change *change,
			struct vgpu_definition *next, struct vgpu_err *err)
{
	struct vgpu_gpu *gpu = instance->gpu;
	int r;

	if (change->weight < 0 && change->rate < 0)
		return 0;
	if (!gpu || !gpu->memory)
		return vgpu_err_set(
			err, -EOPNOTSUPP, "GpuUnusable",
			"the time of its GPU %s is shared by the GPU's driver",
			next->gpu);
	r = vgpu_create_set_share(&next->type, change->weight, change->rate, err);
	if (r == 0 && instance->is_placed)
		r = vgpu_scheduler_check(instance->manager, gpu,
					 &gpu->scheduling, next, err);
	return r;
}

static int change_name(struct vgpu_instance *instance, const char *name,
		       struct vgpu_definition *next, struct vgpu_err *err)
{
	int r = 0;

	if (name[0] && strcmp(name, next->name) != 0)
		r = vgpu_create_check_name(instance->manager, name, err);
	if (r == 0)
		VGPU_TEXT_SET(next->name, name);
	return r;
}

static int change_owner(struct vgpu_instance *instance,
			const struct change *change,
			struct vgpu_definition *next, struct vgpu_err *err)
{
	if (change->owner_uid >= 0)
		next->owner.uid = (uint32_t)change->owner_uid;
	if (change->owner_gid >= 0)
		next->owner.gid = (uint32_t)change->owner_gid;
	return vgpu_access_check_owner(instance->manager, &next->owner, err);
}

/* Whoever has it open keeps it. */
static void hand_over(struct vgpu_instance *instance)
{
	struct vgpu_manager *manager = instance->manager;
	struct vgpu_err err = {};

	vgpu_access_open_manager(manager);
	vgpu_vnc_open_again(instance);
	if (instance->device &&
	    vgpu_access_open_vgpu(manager, &instance->definition, &err) < 0)
		vgpu_log("%s: %s", instance->definition.uuid, err.text);
}

static void report_changes(struct vgpu_instance *instance, sd_varlink *link,
			   const struct vgpu_definition *last)
{
	const struct vgpu_definition *d = &instance->definition;
	char old[VGPU_NAME_MAX + 16] = "";

	if (strcmp(last->name, d->name) != 0)
		snprintf(old, sizeof(old), ", was named %s",
			 last->name[0] ? last->name : "nothing");
	vgpu_instance_event_by(
		instance, vgpu_rights_uid(link), "modified",
		"type %s, weight %u, frame rate limit %u, %s%s", d->type.name,
		d->type.weight, d->type.frame_rate_limit,
		d->is_manual ? "started by hand only" : "starts by itself", old);
}

static int modify_vgpu(struct vgpu_instance *instance,
		       const struct change *change, sd_varlink *link,
		       struct vgpu_err *err)
{
	struct vgpu_definition last = instance->definition, next = last;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_SET_FRAME_RATE};
	struct vgpu_manager *manager = instance->manager;
	int r = 0;

	if (instance->creator.ops || instance->phase == VGPU_PHASE_STOPPING)
		return vgpu_err_set(err, -EBUSY, "TryAgain",
				    "the vGPU is just being %s: try again",
				    vgpu_instance_doing(instance));
	if (instance->is_foreign)
		return vgpu_err_set(
			err, -EPERM, "Foreign",
			"others gave the virtual function its type: nothing of it is kept here that could be changed");
	if (instance->is_damaged)
		return vgpu_err_set(
			err, -EBADMSG, "BadState",
			"the vGPU cannot be changed: %s; `vgpuctl undefine` removes it",
			instance->failure);
	if (change->name)
		r = change_name(instance, change->name, &next, err);
	if (r == 0 && change->type)
		r = change_type(instance, change->type, &next, err);
	if (r == 0)
		r = change_share(instance, change, &next, err);
	if (r == 0)
		r = change_owner(instance, change, &next, err);
	if (r == 0 && change->autostart >= 0)
		next.is_manual = !change->autostart;
	if (r == 0)
		r = vgpu_store_save(&manager->paths, &next, err);
	if (r < 0)
		return r;
	instance->definition = next;
	if (last.owner.uid != next.owner.uid || last.owner.gid != next.owner.gid)
		hand_over(instance);
	report_changes(instance, link, &last);
	vgpu_share_update(instance);
	/* A device that is not running will start with the change. */
	msg.frame_rate = next.type.frame_rate_limit;
	if (change->rate >= 0 && vgpu_instance_is_serving(instance))
		vgpu_device_request(instance->device, &msg, -1,
				    vgpu_device_ignore_reply, NULL, NULL);
	return 0;
}

int vgpu_method_modify(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {
		{"vgpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct change, vgpu), SD_JSON_MANDATORY},
		{"name", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct change, name), SD_JSON_NULLABLE},
		{"type", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct change, type), SD_JSON_NULLABLE},
		{"autostart", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		 offsetof(struct change, autostart), SD_JSON_NULLABLE},
		{"weight", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number, offsetof(struct change, weight),
		 SD_JSON_NULLABLE},
		{"frameRateLimit", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number, offsetof(struct change, rate),
		 SD_JSON_NULLABLE},
		{"ownerUid", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct change, owner_uid), SD_JSON_NULLABLE},
		{"ownerGid", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct change, owner_gid), SD_JSON_NULLABLE},
		{},
	};
	struct change change = {
		.autostart = -1,
		.weight = -1,
		.rate = -1,
		.owner_uid = -1,
		.owner_gid = -1,
	};
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = vgpu_method_find_vgpu(link, parameters, fields, &change,
				  &change.vgpu, userdata, &instance);
	if (r <= 0)
		return r;
	r = modify_vgpu(instance, &change, link, &err);
	return r < 0 ? vgpu_reply_error(link, &err)
		     : sd_varlink_reply(link, NULL);
}
