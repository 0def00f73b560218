/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and unmaking vGPUs. */
#include "create.h"

#include <string.h>
#include <time.h>

#include "capacity.h"
#include "lib/util.h"
#include "lifecycle.h"
#include "scheduler.h"
#include "text.h"

/* Populating the largest types takes seconds; more than this is a fault. */
#define CREATE_TIMEOUT_USEC 60000000ULL

static int check_name(struct vgpu_manager *manager, const char *name,
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

/* Fill in type and place of @definition as they are on @gpu. */
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
		definition->type = *type;
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

		if (!vgpu_capacity_find_type(manager, gpu, type))
			continue;
		/* Without room anywhere the first one's answer is given. */
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
	char quoted[VGPU_QUOTED_SIZE];

	*ret_gpu = vgpu_inventory_find(&manager->inventory, id);
	if (!*ret_gpu)
		return vgpu_err_set(
			err, -ENODEV, "NoSuchGpu",
			"there is no GPU '%s': `vgpuctl gpus` lists them",
			vgpu_text_quote(quoted, id));
	return 0;
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

static int begin(struct vgpu_manager *manager,
		 const struct vgpu_definition *definition, sd_varlink *link,
		 struct vgpu_err *err)
{
	struct vgpu_instance *instance;
	int r;

	r = vgpu_store_save(&manager->paths, definition, err);
	if (r < 0)
		goto remove;
	instance = vgpu_instance_create(manager, definition);
	r = instance ? sd_event_add_time_relative(
			       manager->event, &instance->timer,
			       CLOCK_MONOTONIC, CREATE_TIMEOUT_USEC, 0,
			       on_create_timeout, instance)
		     : -ENOMEM;
	if (r < 0) {
		vgpu_instance_destroy(instance);
		vgpu_err_set(err, r, "Internal", "%s", strerror(-r));
		goto remove;
	}
	instance->is_placed = true;
	instance->create_link = sd_varlink_ref(link);
	vgpu_lifecycle_begin(instance);
	return 0;
remove:
	vgpu_store_remove(&manager->paths, definition->uuid, NULL);
	return r;
}

int vgpu_create(struct vgpu_manager *manager,
		const struct vgpu_create_request *request, sd_varlink *link,
		struct vgpu_gpu **ret_gpu, struct vgpu_err *err)
{
	struct vgpu_definition definition = {
		.vf = {.placement = request->placement,
		       .is_pinned = request->placement != VGPU_PLACEMENT_ANY},
	};
	char quoted[VGPU_QUOTED_SIZE];
	struct vgpu_gpu *gpu = NULL;
	int r;

	if (!request->gpu && !is_type_known(manager, request->type))
		return vgpu_err_set(
			err, -ENOENT, "NoSuchType",
			"there is no type '%s': `vgpuctl types` lists them",
			vgpu_text_quote(quoted, request->type));
	if (request->name) {
		r = check_name(manager, request->name, err);
		if (r < 0)
			return r;
		VGPU_TEXT_SET(definition.name, request->name);
	}
	r = choose_uuid(manager, request->uuid, definition.uuid, err);
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
	if (r < 0)
		return r;
	VGPU_TEXT_SET(definition.gpu, gpu->id);
	r = vgpu_scheduler_check(manager, gpu, &gpu->scheduling, &definition,
				 err);
	if (r < 0)
		return r;
	return begin(manager, &definition, link, err);
}

int vgpu_destroy(struct vgpu_manager *manager, const char *uuid_or_name,
		 bool force, sd_varlink *link, struct vgpu_err *err)
{
	struct vgpu_instance *instance;

	instance = vgpu_instance_find(manager, uuid_or_name, err);
	if (!instance)
		return -ENOENT;
	if (instance->create_link || instance->phase == VGPU_PHASE_STOPPING)
		return vgpu_err_set(err, -EBUSY, "TryAgain",
				    "the vGPU is just being %s: try again",
				    instance->create_link ? "made" : "destroyed");
	if (instance->gpu && instance->gpu->ops && instance->gpu->ops->release) {
		int r = instance->gpu->ops->release(instance, err);

		if (r < 0)
			return r;
	} else if (vgpu_instance_is_attached(instance) && !force) {
		return vgpu_err_set(
			err, -EBUSY, "InUse",
			"the virtual machine of process %d has it: shut that down first, or use force",
			instance->status.peer_pid);
	}
	instance->destroy_link = sd_varlink_ref(link);
	vgpu_lifecycle_stop(instance);
	return 0;
}

void vgpu_create_fail_waiting(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance, *next;

	for (instance = TAILQ_FIRST(&manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		if (instance->gpu != gpu || !instance->create_link ||
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
