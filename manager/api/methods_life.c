/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods that make, start, stop and end vGPUs. */
#include <string.h>

#include "manager/vgpu/access.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/create.h"
#include "interface.h"
#include "manager/host/json.h"
#include "lib/name.h"
#include "lib/util.h"
#include "methods.h"
#include "reply.h"
#include "rights.h"
#include "manager/host/text.h"

static int reply_no_room(sd_varlink *link, struct vgpu_manager *manager,
			 struct vgpu_gpu *gpu, const struct vgpu_err *err)
{
	vgpu_autojson sd_json_variant *fits = NULL;
	char text[VGPU_ERR_TEXT_MAX];
	int r;

	r = sd_json_variant_new_array(&fits, NULL, 0);
	for (size_t i = 0; r >= 0 && i < vgpu_capacity_type_count(manager, gpu);
	     i++) {
		const struct vgpu_type *type = gpu->ops->type_at(manager, gpu, i);

		if (vgpu_capacity_count(manager, gpu, type) > 0)
			r = sd_json_variant_append_arrayb(
				&fits, SD_JSON_BUILD_STRING(type->name));
	}
	if (r < 0)
		return vgpu_reply_error(link, err);
	VGPU_TEXT_SET(text, err->text);
	vgpu_text_make_printable(text);
	r = sd_varlink_errorbo(
		link, VGPU_INTERFACE ".NoRoom",
		SD_JSON_BUILD_PAIR_STRING("text", text),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"freeMib", vgpu_capacity_free(manager, gpu) / VGPU_MIB),
		SD_JSON_BUILD_PAIR_VARIANT("fits", fits));
	vgpu_reply_check(link, r);
	return 0;
}

/* A number that a driver counts places by. */
static int dispatch_placement(const char *name, sd_json_variant *variant,
			      sd_json_dispatch_flags_t flags, void *userdata)
{
	uint32_t *placement = userdata;

	if (sd_json_variant_is_null(variant))
		return 0;
	if (!sd_json_variant_is_unsigned(variant) ||
	    sd_json_variant_unsigned(variant) >= VGPU_PLACEMENT_ANY)
		return -EINVAL;
	*placement = (uint32_t)sd_json_variant_unsigned(variant);
	return 0;
}

/* Answer @caller, which nobody took over, with @err. */
static int refuse_caller(struct vgpu_caller *caller, struct vgpu_manager *manager,
			 struct vgpu_gpu *gpu, const struct vgpu_err *err)
{
	int r;

	if (!gpu || !err->name || strcmp(err->name, "NoRoom") != 0)
		return vgpu_reply_refuse(caller, err);
	r = reply_no_room(caller->link, manager, gpu, err);
	vgpu_caller_drop(caller);
	return r;
}

#define REQUEST_STRING(key, flags)                                             \
	{#key, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,          \
	 offsetof(struct vgpu_create_request, key), flags}

static int dispatch_request(sd_varlink *link, sd_json_variant *parameters,
			    struct vgpu_manager *manager,
			    struct vgpu_create_request *request)
{
	static const sd_json_dispatch_field fields[] = {
		REQUEST_STRING(type, SD_JSON_MANDATORY),
		REQUEST_STRING(gpu, SD_JSON_NULLABLE),
		REQUEST_STRING(name, SD_JSON_NULLABLE),
		REQUEST_STRING(uuid, SD_JSON_NULLABLE),
		{"placement", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_placement,
		 offsetof(struct vgpu_create_request, placement),
		 SD_JSON_NULLABLE},
		{"weight", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct vgpu_create_request, weight), SD_JSON_NULLABLE},
		{"frameRateLimit", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct vgpu_create_request, frame_rate_limit),
		 SD_JSON_NULLABLE},
		{"autostart", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		 offsetof(struct vgpu_create_request, autostart),
		 SD_JSON_NULLABLE},
		{"container", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		 offsetof(struct vgpu_create_request, is_for_container),
		 SD_JSON_NULLABLE},
		REQUEST_STRING(transport, SD_JSON_NULLABLE),
		{"ownerUid", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct vgpu_create_request, owner_uid),
		 SD_JSON_NULLABLE},
		{"ownerGid", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
		 offsetof(struct vgpu_create_request, owner_gid),
		 SD_JSON_NULLABLE},
		{"heads", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_variant_noref,
		 offsetof(struct vgpu_create_request, heads), SD_JSON_NULLABLE},
		{},
	};

	struct vgpu_owner owner;
	int r;

	*request = (struct vgpu_create_request){
		.placement = VGPU_PLACEMENT_ANY,
		.weight = -1,
		.frame_rate_limit = -1,
		.autostart = -1,
		.owner_uid = -1,
		.owner_gid = -1,
	};
	r = sd_varlink_dispatch(link, parameters, fields, request);
	if (r == 0 && request->owner_uid < 0 && request->owner_gid < 0) {
		vgpu_access_choose_owner(manager, vgpu_rights_uid(link), &owner);
		request->owner_uid = owner.uid;
		request->owner_gid = owner.gid;
	}
	if (r == 0)
		manager->hooks->refresh(manager);
	return r;
}

int vgpu_method_create(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata)
{
	struct vgpu_create_request request;
	struct vgpu_gpu *gpu = NULL;
	struct vgpu_caller caller;
	struct vgpu_err err = {};
	int r;

	r = dispatch_request(link, parameters, userdata, &request);
	if (r != 0)
		return r;
	caller = vgpu_reply_caller(link);
	r = vgpu_create(userdata, &request, &caller, &gpu, &err);
	return r < 0 ? refuse_caller(&caller, userdata, gpu, &err) : 0;
}

int vgpu_method_define(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata)
{
	struct vgpu_create_request request;
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = dispatch_request(link, parameters, userdata, &request);
	if (r != 0)
		return r;
	instance = vgpu_define(userdata, &request, vgpu_rights_uid(link), &err);
	if (!instance)
		return vgpu_reply_error(link, &err);
	return sd_varlink_replybo(
		link,
		SD_JSON_BUILD_PAIR_STRING("uuid", instance->definition.uuid));
}

int vgpu_method_check_definition(sd_varlink *link, sd_json_variant *parameters,
				 sd_varlink_method_flags_t flags, void *userdata)
{
	struct vgpu_create_request request;
	struct vgpu_err err = {};
	int r;

	r = dispatch_request(link, parameters, userdata, &request);
	if (r != 0)
		return r;
	r = vgpu_check_definition(userdata, &request, &err);
	return r < 0 ? vgpu_reply_error(link, &err)
		     : sd_varlink_reply(link, NULL);
}

/* Start, stop, undefine or destroy a vGPU; see create.h. */
typedef int (*change_t)(struct vgpu_manager *manager, const char *uuid_or_name,
			bool force, const struct vgpu_caller *caller,
			struct vgpu_gpu **ret_gpu, struct vgpu_err *err);

/* Have @change done, and @link answered by it. */
static int change_vgpu(sd_varlink *link, sd_json_variant *parameters,
		       bool knows_force, struct vgpu_manager *manager,
		       change_t change)
{
	struct target {
		const char *vgpu;
		int force;
	} target = {};
	const sd_json_dispatch_field fields[] = {
		{"vgpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct target, vgpu), SD_JSON_MANDATORY},
		{knows_force ? "force" : NULL, SD_JSON_VARIANT_BOOLEAN,
		 sd_json_dispatch_tristate, offsetof(struct target, force),
		 SD_JSON_NULLABLE},
		{},
	};
	struct vgpu_caller caller;
	struct vgpu_gpu *gpu = NULL;
	struct vgpu_err err = {};
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, &target);
	if (r != 0)
		return r;
	manager->hooks->refresh(manager);
	caller = vgpu_reply_caller(link);
	r = change(manager, target.vgpu, target.force > 0, &caller, &gpu, &err);
	return r < 0 ? refuse_caller(&caller, manager, gpu, &err) : 0;
}

static int start_vgpu(struct vgpu_manager *manager, const char *uuid_or_name,
		      bool force, const struct vgpu_caller *caller,
		      struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	return vgpu_start(manager, uuid_or_name, caller, ret_gpu, err);
}

int vgpu_method_start(sd_varlink *link, sd_json_variant *parameters,
		      sd_varlink_method_flags_t flags, void *userdata)
{
	return change_vgpu(link, parameters, /* knows_force= */ false, userdata,
			   start_vgpu);
}

static int stop_vgpu(struct vgpu_manager *manager, const char *uuid_or_name,
		     bool force, const struct vgpu_caller *caller,
		     struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	return vgpu_stop(manager, uuid_or_name, force, caller, err);
}

int vgpu_method_stop(sd_varlink *link, sd_json_variant *parameters,
		     sd_varlink_method_flags_t flags, void *userdata)
{
	return change_vgpu(link, parameters, /* knows_force= */ true, userdata,
			   stop_vgpu);
}

static int undefine_vgpu(struct vgpu_manager *manager, const char *uuid_or_name,
			 bool force, const struct vgpu_caller *caller,
			 struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	return vgpu_undefine(manager, uuid_or_name, caller, err);
}

int vgpu_method_undefine(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata)
{
	return change_vgpu(link, parameters, /* knows_force= */ false, userdata,
			   undefine_vgpu);
}

static int destroy_vgpu(struct vgpu_manager *manager, const char *uuid_or_name,
			bool force, const struct vgpu_caller *caller,
			struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	return vgpu_destroy(manager, uuid_or_name, force, caller, err);
}

int vgpu_method_destroy(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata)
{
	return change_vgpu(link, parameters, /* knows_force= */ true, userdata,
			   destroy_vgpu);
}
