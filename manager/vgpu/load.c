/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restores the vGPUs that are defined. */
#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "capacity.h"
#include "create.h"
#include "manager/device/deposit.h"
#include "lib/util.h"
#include "lifecycle.h"
#include "manager/host/log.h"
#include "transport.h"
#include "vnc.h"

static int load_one(struct vgpu_manager *manager, const char *uuid)
{
	struct vgpu_definition definition;
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = vgpu_store_load(&manager->paths, uuid, &definition, &err);
	if (r >= 0 && definition.lacks_owner)
		definition.owner.gid = manager->access.users;
	instance = vgpu_instance_create(manager, &definition);
	if (!instance)
		return -ENOMEM;
	instance->is_wanted = !definition.is_manual;
	/* What is there of its uuid an earlier vgpud made. */
	instance->has_host_device = !definition.is_stopped;
	if (r >= 0 && definition.is_transient &&
	    vgpu_transport_is_gone(instance)) {
		vgpu_instance_log(instance, "others removed its mediated device");
		vgpu_store_remove(&manager->paths, uuid, NULL);
		vgpu_instance_destroy(instance);
		return 0;
	}
	if (r < 0) {
		instance->is_damaged = true;
		vgpu_lifecycle_fail(instance, "%s", err.text);
	} else if (definition.is_manual && definition.is_stopped) {
		vgpu_instance_set_phase(instance, VGPU_PHASE_STOPPED);
	} else if (!instance->gpu || !instance->gpu->ops) {
		instance->lacks_gpu = definition.vf.number > 0;
		vgpu_lifecycle_fail(instance, "its GPU %s is %s", definition.gpu,
				    instance->gpu ? instance->gpu->unusable
						  : "gone");
	} else if (!instance->gpu->memory != (definition.vf.number > 0)) {
		instance->is_damaged = true;
		vgpu_lifecycle_fail(instance,
				    "its definition is not for a GPU as %s is",
				    definition.gpu);
	} else if (!definition.is_stopped &&
		   vgpu_capacity_is_free(manager, instance->gpu, &definition)) {
		instance->is_placed = true;
	}
	return 0;
}

/*
 * It was stopped, or its place is taken or beyond the end: the framebuffer
 * became smaller, or the file was edited. It gets another one if there is room.
 */
static void place_again(struct vgpu_instance *instance)
{
	struct vgpu_definition *d = &instance->definition;
	struct vgpu_err err = {};

	if (!instance->gpu->memory)
		return; /* when its GPU is started */
	if (vgpu_capacity_place(instance->manager, instance->gpu, d, &err) < 0) {
		vgpu_lifecycle_fail(instance, "its framebuffer has no room: %s",
				    err.text);
		return;
	}
	instance->is_placed = true;
	d->is_stopped = false;
	if (vgpu_store_save(&instance->manager->paths, d, &err) < 0)
		vgpu_instance_log(instance, "%s", err.text);
}

static void bring_back(struct vgpu_instance *instance)
{
	if (!instance->gpu->memory)
		return; /* when its GPU is started */
	/* A running device keeps serving its VM even if its type is gone. */
	if (vgpu_lifecycle_adopt(instance) == 0 ||
	    vgpu_lifecycle_resume(instance) == 0)
		return;
	if (instance->is_wanted) {
		vgpu_lifecycle_begin(instance);
	} else {
		instance->is_kept = true;
		vgpu_lifecycle_stop(instance);
	}
}

static bool is_known(void *opaque, const char *uuid)
{
	return vgpu_instance_find(opaque, uuid, /* err= */ NULL);
}

/* Remove folders and groups of vGPUs without a definition. */
static void clean_runtime(struct vgpu_manager *manager)
{
	struct vgpu_process process = VGPU_PROCESS_NONE;
	char path[VGPU_SOCKET_PATH_SIZE];
	struct dirent *entry;
	DIR *folder = opendir(manager->paths.runtime);

	while (folder && (entry = readdir(folder))) {
		const char *uuid = entry->d_name;

		if (!vgpu_uuid_has_form(uuid) ||
		    vgpu_instance_find(manager, uuid, NULL))
			continue;
		vgpu_paths_instance(&manager->paths, uuid, "device.pid", path);
		if (vgpu_process_recall(path, &process) == 0) {
			vgpu_events_add(
				&manager->events, "manager", uuid, NULL,
				"its device process %d runs and it has no definition: left alone",
				process.pid);
			vgpu_process_finish(&process);
		} else {
			vgpu_paths_remove_instance(&manager->paths, uuid);
		}
	}
	if (folder)
		closedir(folder);
	vgpu_cgroups_clean(&manager->cgroups, is_known, manager);
}

int vgpu_load(struct vgpu_manager *manager)
{
	vgpu_autofree char(*uuids)[VGPU_UUID_SIZE] = NULL;
	struct vgpu_instance *instance;
	size_t count;
	int r;

	vgpu_paths_remove_vnc_sockets(manager->paths.runtime);
	r = vgpu_store_list(&manager->paths, &uuids, &count);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = load_one(manager, uuids[i]);
	if (r < 0)
		return r;

	/*
	 * First vGPUs with a place, some of which lose it, then those that need
	 * one.
	 */
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->phase == VGPU_PHASE_DEFINED && instance->is_placed)
		bring_back(instance);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		if (instance->phase != VGPU_PHASE_DEFINED || instance->is_placed)
			continue;
		place_again(instance);
		if (instance->phase == VGPU_PHASE_DEFINED)
			bring_back(instance);
	}
	/* This ends devices of vGPUs without a definition. */
	vgpu_deposit_clean(manager->deposit, is_known, manager);
	clean_runtime(manager);
	return 0;
}

void vgpu_load_retry(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		if (instance->phase != VGPU_PHASE_FAILED ||
		    !instance->lacks_type ||
		    !vgpu_types_find(manager->catalogue.types,
				     instance->definition.type.name))
			continue;
		instance->lacks_type = false;
		if (vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED) == 0)
			vgpu_lifecycle_begin(instance);
	}
}

void vgpu_load_retry_on(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		const struct vgpu_definition *d = &instance->definition;

		if (instance->is_damaged || d->vf.number > 0 ||
		    strcasecmp(d->gpu, gpu->id) != 0)
			continue;
		/* Nothing else can have ended it: it had no GPU. */
		instance->gpu = gpu;
		if (instance->phase != VGPU_PHASE_FAILED || !instance->is_wanted ||
		    vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED) < 0)
			continue;
		if (!d->is_stopped && vgpu_capacity_is_free(manager, gpu, d))
			instance->is_placed = true;
		else
			place_again(instance);
		if (instance->phase == VGPU_PHASE_DEFINED)
			bring_back(instance);
	}
}
