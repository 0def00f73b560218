/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and unmaking vGPUs. */
#include "create.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "access.h"
#include "capacity.h"
#include "heads.h"
#include "lib/util.h"
#include "lifecycle.h"
#include "scheduler.h"
#include "transport.h"
#include "manager/host/text.h"

/* Time limit: populating the largest types takes seconds. */
#define CREATE_TIMEOUT_USEC 60000000ULL

int vgpu_create_check_name(struct vgpu_manager *manager, const char *name,
			   struct vgpu_err *err)
{
	struct vgpu_instance *other;

	if (vgpu_name_check(name, err) < 0)
		return -EINVAL;
	TAILQ_FOREACH(other, &manager->instances, entry)
	if (strcmp(other->definition.name, name) == 0)
		return vgpu_err_set(err, -EEXIST, "NameInUse",
				    "the vGPU %s has the name '%s': choose another",
				    other->definition.uuid, name);
	return 0;
}

int vgpu_create_set_share(struct vgpu_type *type, int64_t weight, int64_t rate,
			  struct vgpu_err *err)
{
	if (weight == 0 || weight > VGPU_TYPE_WEIGHT_MAX)
		return vgpu_err_set(err, -EINVAL, "BadShare",
				    "a weight is a number from 1 to %d",
				    VGPU_TYPE_WEIGHT_MAX);
	if (rate > VGPU_TYPE_FRAME_RATE_MAX)
		return vgpu_err_set(
			err, -EINVAL, "BadShare",
			"a frame rate limit is a number from 1 to %d, or 0 for none",
			VGPU_TYPE_FRAME_RATE_MAX);
	if (weight > 0)
		type->weight = (uint32_t)weight;
	if (rate >= 0)
		type->frame_rate_limit = (uint32_t)rate;
	return 0;
}

static int choose_uuid(struct vgpu_manager *manager, const char *wanted,
		       char ret_uuid[VGPU_UUID_SIZE], struct vgpu_err *err)
{
	struct vgpu_instance *other;
	int r;

	r = wanted ? vgpu_uuid_parse(wanted, ret_uuid, err)
		   : vgpu_uuid_random(ret_uuid);
	if (r < 0)
		return wanted ? r
			      : vgpu_err_set(err, r, "Internal",
					     "no random uuid: %s", strerror(-r));
	TAILQ_FOREACH(other, &manager->instances, entry)
	if (strcmp(other->definition.uuid, ret_uuid) == 0)
		return vgpu_err_set(err, -EEXIST, "UuidInUse",
				    "there is a vGPU of the uuid %s already",
				    ret_uuid);
	return 0;
}

static int choose_owner(struct vgpu_manager *manager,
			const struct vgpu_create_request *request,
			struct vgpu_owner *ret_owner, struct vgpu_err *err)
{
	*ret_owner = (struct vgpu_owner){
		.uid = (uint32_t)VGPU_MAX(request->owner_uid, 0),
		.gid = (uint32_t)VGPU_MAX(request->owner_gid, 0),
	};
	return vgpu_access_check_owner(manager, ret_owner, err);
}

/* Fill in @definition's type and place for @gpu. */
static int try_gpu(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		   const char *type_name, struct vgpu_definition *definition,
		   struct vgpu_err *err)
{
	const struct vgpu_type *type;
	char quoted[VGPU_QUOTED_SIZE];

	type = vgpu_capacity_find_type(manager, gpu, type_name);
	if (!type && gpu->ops && !gpu->unusable[0])
		return vgpu_err_set(
			err, -ENOENT, "NoSuchType",
			"%s has no type '%s': `vgpuctl types --gpu %s` lists them",
			gpu->id, vgpu_text_quote(quoted, type_name), gpu->id);
	if (type)
		vgpu_definition_set_type(definition, type);
	return vgpu_capacity_place(manager, gpu, definition, err);
}

/* The first GPU where it fits, one of hardware before the embedded one. */
static int choose_gpu(struct vgpu_manager *manager, const char *type,
		      struct vgpu_gpu **ret_gpu,
		      struct vgpu_definition *definition, struct vgpu_err *err)
{
	const struct vgpu_inventory *inventory = &manager->inventory;

	*ret_gpu = NULL;
	for (size_t i = 1; i <= inventory->count; i++) {
		/* The embedded one is the first in the list. */
		struct vgpu_gpu *gpu = &inventory->gpus[i % inventory->count];

		if (!vgpu_capacity_find_type(manager, gpu, type) ||
		    (definition->is_for_container && !gpu->memory))
			continue;
		/* If it fits nowhere, report the first GPU's reason. */
		if (try_gpu(manager, gpu, type, definition,
			    *ret_gpu ? NULL : err) == 0) {
			*ret_gpu = gpu;
			return 0;
		}
		if (!*ret_gpu)
			*ret_gpu = gpu;
	}
	return -ENOSPC;
}

static bool is_type_known(struct vgpu_manager *manager, const char *type)
{
	for (size_t i = 0; i < manager->inventory.count; i++)
		if (vgpu_capacity_find_type(manager,
					    &manager->inventory.gpus[i], type))
			return true;
	return false;
}

static int find_gpu(struct vgpu_manager *manager, const char *id,
		    struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	*ret_gpu = vgpu_inventory_choose(&manager->inventory, id, err);
	return *ret_gpu ? 0 : -ENODEV;
}

static int on_create_timeout(sd_event_source *source, uint64_t usec,
			     void *userdata)
{
	struct vgpu_instance *instance = userdata;

	vgpu_err_set(
		&instance->create_err, -ETIMEDOUT, "NoRoom",
		"its framebuffer of %llu MiB was not ready within a minute: try again later",
		instance->definition.place.size / VGPU_MIB);
	vgpu_lifecycle_stop(instance);
	return 0;
}

static int check_type(struct vgpu_manager *manager,
		      const struct vgpu_create_request *request,
		      struct vgpu_err *err)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (request->gpu || is_type_known(manager, request->type))
		return 0;
	return vgpu_err_set(err, -ENOENT, "NoSuchType",
			    "there is no type '%s': `vgpuctl types` lists them",
			    vgpu_text_quote(quoted, request->type));
}

/* Fill in @definition but for its place on the GPU. */
static int fill_definition(struct vgpu_manager *manager,
			   const struct vgpu_create_request *request,
			   struct vgpu_definition *definition,
			   struct vgpu_err *err)
{
	int r = check_type(manager, request, err);

	if (r == 0 && request->name) {
		r = vgpu_create_check_name(manager, request->name, err);
		if (r == 0)
			VGPU_TEXT_SET(definition->name, request->name);
	}
	if (r < 0)
		return r;
	r = choose_owner(manager, request, &definition->owner, err);
	if (r < 0)
		return r;
	definition->vf.placement = request->placement;
	definition->vf.is_pinned = request->placement != VGPU_PLACEMENT_ANY;
	return choose_uuid(manager, request->uuid, definition->uuid, err);
}

static int set_transport(struct vgpu_gpu *gpu, const char *transport,
			 struct vgpu_definition *definition, struct vgpu_err *err)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (!transport)
		return 0;
	if (!vgpu_transport_parse(transport, &definition->transport))
		return vgpu_err_set(
			err, -EINVAL, "BadTransport",
			"there is no transport '%s': vhost-user and mdev are known",
			vgpu_text_quote(quoted, transport));
	if (definition->is_for_container)
		return vgpu_err_set(
			err, -EINVAL, "BadTransport",
			"no virtual machine reaches a vGPU for containers: it has no transport");
	if (!gpu->memory)
		return vgpu_err_set(
			err, -EINVAL, "BadTransport",
			"on %s a vGPU has no device process, and so no transport",
			gpu->id);
	return 0;
}

/* Fill in what depends on @gpu and on its type there. */
static int set_up(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		  const struct vgpu_create_request *request,
		  struct vgpu_definition *definition, struct vgpu_err *err)
{
	int r;

	assert(gpu);
	VGPU_TEXT_SET(definition->gpu, gpu->id);
	if (definition->is_for_container && (!gpu->memory || !gpu->device_uuid[0]))
		return vgpu_err_set(
			err, -EOPNOTSUPP, "GpuUnusable",
			"a container cannot be given a vGPU of %s: %s", gpu->id,
			gpu->memory
				? "no Vulkan driver was found for it"
				: "its vGPUs are PCI devices for virtual machines");
	if (!gpu->memory &&
	    (request->weight >= 0 || request->frame_rate_limit >= 0))
		return vgpu_err_set(
			err, -EOPNOTSUPP, "GpuUnusable",
			"the time of its GPU %s is shared by the GPU's driver: a weight or frame rate limit cannot be set",
			gpu->id);
	r = set_transport(gpu, request->transport, definition, err);
	if (r == 0)
		r = vgpu_create_set_share(&definition->type, request->weight,
					  request->frame_rate_limit, err);
	if (r == 0 && request->heads)
		r = vgpu_heads_parse(request->heads, &manager->paths,
				     definition, err);
	return r;
}

static int begin_creation(struct vgpu_instance *instance,
			  const struct vgpu_caller *caller, struct vgpu_err *err)
{
	int r;

	r = sd_event_add_time_relative(instance->manager->event, &instance->timer,
				       CLOCK_MONOTONIC, CREATE_TIMEOUT_USEC, 0,
				       on_create_timeout, instance);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "%s", strerror(-r));
	instance->is_placed = true;
	instance->is_wanted = true;
	instance->creator = *caller;
	vgpu_access_open_manager(instance->manager);
	vgpu_lifecycle_begin(instance);
	return 0;
}

/* Save it and add it to the list. NULL: neither was done. */
static struct vgpu_instance *add_instance(struct vgpu_manager *manager,
					  const struct vgpu_definition *definition,
					  struct vgpu_err *err)
{
	struct vgpu_instance *instance = NULL;
	int r;

	r = vgpu_store_save(&manager->paths, definition, err);
	if (r == 0) {
		instance = vgpu_instance_create(manager, definition);
		if (!instance)
			vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	}
	if (!instance)
		vgpu_store_remove(&manager->paths, definition->uuid, NULL);
	return instance;
}

int vgpu_create(struct vgpu_manager *manager,
		const struct vgpu_create_request *request,
		const struct vgpu_caller *caller, struct vgpu_gpu **ret_gpu,
		struct vgpu_err *err)
{
	struct vgpu_definition definition = {
		.is_for_container = request->is_for_container > 0,
		.is_manual = request->autostart == 0,
		.is_transient = request->is_transient,
	};
	struct vgpu_instance *instance;
	struct vgpu_gpu *gpu = NULL;
	int r;

	r = fill_definition(manager, request, &definition, err);
	if (r < 0)
		return r;
	if (request->gpu) {
		r = find_gpu(manager, request->gpu, &gpu, err);
		if (r == 0)
			r = try_gpu(manager, gpu, request->type, &definition,
				    err);
	} else {
		r = choose_gpu(manager, request->type, &gpu, &definition, err);
	}
	*ret_gpu = gpu;
	if (r == 0)
		r = set_up(manager, gpu, request, &definition, err);
	if (r == 0)
		r = vgpu_scheduler_check(manager, gpu, &gpu->scheduling,
					 &definition, err);
	if (r == 0)
		r = vgpu_transport_check(manager, &definition,
					 /* is_new= */ !request->is_transient,
					 err);
	if (r < 0)
		return r;
	instance = add_instance(manager, &definition, err);
	if (!instance)
		return -EIO;
	instance->has_host_device = request->is_transient;
	r = begin_creation(instance, caller, err);
	if (r < 0) {
		vgpu_store_remove(&manager->paths, definition.uuid, NULL);
		vgpu_instance_destroy(instance);
	}
	return r;
}

/* The GPU that a vGPU is defined on, whether or not it has room now. */
static int choose_gpu_to_define(struct vgpu_manager *manager,
				const struct vgpu_create_request *request,
				struct vgpu_gpu **ret_gpu,
				struct vgpu_definition *definition,
				struct vgpu_err *err)
{
	const struct vgpu_type *type;
	struct vgpu_err unused = {};
	struct vgpu_gpu *gpu = NULL;

	if (request->gpu)
		find_gpu(manager, request->gpu, &gpu, err);
	else
		choose_gpu(manager, request->type, &gpu, definition, &unused);
	if (!gpu)
		return -ENODEV;
	*ret_gpu = gpu;
	type = vgpu_capacity_find_type(manager, gpu, request->type);
	/* Says what is wrong with the GPU or the type. */
	if (!type)
		return try_gpu(manager, gpu, request->type, definition, err);
	if (request->placement != VGPU_PLACEMENT_ANY && gpu->memory)
		return vgpu_err_set(
			err, -EINVAL, "BadPlacement",
			"on %s a vGPU's place in the framebuffer cannot be chosen",
			gpu->id);
	vgpu_definition_set_type(definition, type);
	definition->place =
		(struct vgpu_extent){.size = type->framebuffer_mib * VGPU_MIB};
	/* Which one is chosen when it starts. */
	definition->vf.number = gpu->memory ? 0 : 1;
	return 0;
}

struct vgpu_instance *vgpu_define(struct vgpu_manager *manager,
				  const struct vgpu_create_request *request,
				  int64_t uid, struct vgpu_err *err)
{
	struct vgpu_definition definition = {
		.is_for_container = request->is_for_container > 0,
		.is_manual = request->autostart <= 0,
		.is_stopped = true,
	};
	struct vgpu_instance *instance;
	struct vgpu_gpu *gpu = NULL;

	if (fill_definition(manager, request, &definition, err) < 0 ||
	    choose_gpu_to_define(manager, request, &gpu, &definition, err) < 0 ||
	    set_up(manager, gpu, request, &definition, err) < 0)
		return NULL;
	instance = add_instance(manager, &definition, err);
	if (!instance)
		return NULL;
	vgpu_instance_set_phase(instance, VGPU_PHASE_STOPPED);
	vgpu_access_open_manager(manager);
	vgpu_instance_event_by(instance, uid, "defined",
			       "a vGPU of type %s on %s", definition.type.name,
			       definition.gpu);
	manager->hooks->changed(manager);
	return instance;
}

int vgpu_check_definition(struct vgpu_manager *manager,
			  const struct vgpu_create_request *request,
			  struct vgpu_err *err)
{
	struct vgpu_definition definition = {
		.is_for_container = request->is_for_container > 0,
	};
	struct vgpu_gpu *gpu = NULL;
	int r;

	r = check_type(manager, request, err);
	if (r == 0 && request->name)
		r = vgpu_name_check(request->name, err);
	if (r == 0 && request->uuid)
		r = vgpu_uuid_parse(request->uuid, definition.uuid, err);
	if (r == 0)
		r = choose_owner(manager, request, &definition.owner, err);
	if (r == 0)
		r = choose_gpu_to_define(manager, request, &gpu, &definition,
					 err);
	return r < 0 ? r : set_up(manager, gpu, request, &definition, err);
}

/* Find a vGPU that can be changed now; NULL with err if there is none. */
static struct vgpu_instance *find_idle(struct vgpu_manager *manager,
				       const char *uuid_or_name,
				       struct vgpu_err *err)
{
	struct vgpu_instance *instance;

	instance = vgpu_instance_find(manager, uuid_or_name, err);
	if (!instance)
		return NULL;
	if (!instance->creator.ops && instance->phase != VGPU_PHASE_STOPPING)
		return instance;
	vgpu_err_set(err, -EBUSY, "TryAgain",
		     "the vGPU is just being %s: try again",
		     vgpu_instance_doing(instance));
	return NULL;
}

/*
 * Find a place for a vGPU that is stopped, or has failed, with or without one.
 */
static int place_to_start(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_manager *manager = instance->manager;
	struct vgpu_definition next = instance->definition;
	struct vgpu_gpu *gpu = instance->gpu;
	int r = 0;

	if (!instance->is_placed || next.is_stopped) {
		r = vgpu_capacity_place(manager, gpu, &next, err);
		next.is_stopped = false;
	}
	if (r == 0)
		r = vgpu_scheduler_check(manager, gpu, &gpu->scheduling, &next,
					 err);
	if (r == 0)
		r = vgpu_store_save(&manager->paths, &next, err);
	if (r == 0)
		instance->definition = next;
	return r;
}

int vgpu_start(struct vgpu_manager *manager, const char *uuid_or_name,
	       const struct vgpu_caller *caller, struct vgpu_gpu **ret_gpu,
	       struct vgpu_err *err)
{
	struct vgpu_instance *instance;
	int r;

	instance = find_idle(manager, uuid_or_name, err);
	if (!instance)
		return -ENOENT;
	if (vgpu_instance_is_started(instance))
		return vgpu_err_set(err, -EALREADY, "BadState",
				    "the vGPU is started already: it is %s",
				    instance->phase == VGPU_PHASE_DEFINED
					    ? "waiting for its framebuffer"
					    : vgpu_instance_state(instance));
	if (instance->is_damaged)
		return vgpu_err_set(
			err, -EBADMSG, "BadState",
			"the vGPU cannot be started: %s; `vgpuctl undefine` removes it",
			instance->failure);
	if (!instance->gpu || !instance->gpu->ops)
		return vgpu_err_set(
			err, -ENODEV, "GpuUnusable",
			"the vGPU's GPU %s is %s: `vgpuctl gpus` lists those there are",
			instance->definition.gpu,
			instance->gpu ? instance->gpu->unusable : "gone");
	*ret_gpu = instance->gpu;
	r = vgpu_transport_check(manager, &instance->definition,
				 !instance->has_host_device, err);
	if (r == 0)
		r = place_to_start(instance, err);
	if (r < 0)
		return r;
	if (vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED) < 0)
		return vgpu_err_set(err, -EINVAL, "Internal",
				    "it cannot be started");
	instance->is_kept = true;
	instance->quick_ends = 0;
	r = begin_creation(instance, caller, err);
	if (r < 0)
		vgpu_lifecycle_rest(instance);
	return r;
}

/* Refuse if a virtual machine has it, or others manage it. */
static int release_vgpu(struct vgpu_instance *instance, bool force,
			struct vgpu_err *err)
{
	if (instance->gpu && instance->gpu->ops && instance->gpu->ops->release)
		return instance->gpu->ops->release(instance, err);
	if (vgpu_instance_is_attached(instance) && !force)
		return vgpu_err_set(
			err, -EBUSY, "InUse",
			"%s %d has it: %s first, or use force, which may end it",
			instance->definition.is_for_container
				? "the program"
				: "the virtual machine of process",
			instance->status.peer_pid,
			instance->definition.is_for_container ? "end that"
							      : "shut that down");
	return vgpu_transport_release(instance, err);
}

static int end_vgpu(struct vgpu_instance *instance, bool force, bool is_kept,
		    const struct vgpu_caller *caller, struct vgpu_err *err)
{
	int r = release_vgpu(instance, force, err);

	if (r < 0)
		return r;
	instance->is_kept = is_kept;
	instance->ender = *caller;
	vgpu_lifecycle_stop(instance);
	return 0;
}

int vgpu_stop(struct vgpu_manager *manager, const char *uuid_or_name,
	      bool force, const struct vgpu_caller *caller, struct vgpu_err *err)
{
	struct vgpu_instance *instance;

	instance = find_idle(manager, uuid_or_name, err);
	if (!instance)
		return -ENOENT;
	if (instance->phase == VGPU_PHASE_STOPPED)
		return vgpu_err_set(
			err, -EALREADY, "BadState",
			"the vGPU is stopped already: `vgpuctl start` starts it");
	if (instance->is_damaged)
		return vgpu_err_set(
			err, -EBADMSG, "BadState",
			"the vGPU does not run: %s; `vgpuctl undefine` removes it",
			instance->failure);
	return end_vgpu(instance, force, /* is_kept= */ true, caller, err);
}

int vgpu_undefine(struct vgpu_manager *manager, const char *uuid_or_name,
		  const struct vgpu_caller *caller, struct vgpu_err *err)
{
	struct vgpu_instance *instance;

	instance = find_idle(manager, uuid_or_name, err);
	if (!instance)
		return -ENOENT;
	if (vgpu_instance_is_started(instance) && !instance->is_foreign)
		return vgpu_err_set(
			err, -EBUSY, "BadState",
			"the vGPU is started: stop it first (`vgpuctl stop`), or end and forget it in one (`vgpuctl destroy`)");
	return end_vgpu(instance, /* force= */ false, /* is_kept= */ false,
			caller, err);
}

int vgpu_destroy(struct vgpu_manager *manager, const char *uuid_or_name,
		 bool force, const struct vgpu_caller *caller,
		 struct vgpu_err *err)
{
	struct vgpu_instance *instance;

	instance = find_idle(manager, uuid_or_name, err);
	if (!instance)
		return -ENOENT;
	return end_vgpu(instance, force, /* is_kept= */ false, caller, err);
}

void vgpu_create_fail_waiting(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance, *next;

	for (instance = TAILQ_FIRST(&manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		if (instance->gpu != gpu || !instance->creator.ops ||
		    instance->phase != VGPU_PHASE_DEFINED)
			continue;
		vgpu_err_set(
			&instance->create_err, -ENOMEM, "NoRoom",
			"the machine is short of memory: %llu MiB of framebuffer is ready, and type %s needs %u MiB",
			gpu->memory->ready(gpu) / VGPU_MIB,
			instance->definition.type.name,
			instance->definition.type.framebuffer_mib);
		vgpu_lifecycle_stop(instance);
	}
}
