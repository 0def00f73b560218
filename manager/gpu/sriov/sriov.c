/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The provider of GPUs whose virtual functions are vGPUs. */
#include "sriov.h"

#include <assert.h>
#include <string.h>

#include "manager/vgpu/capacity.h"
#include "manager/host/json.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "vf_driver.h"

#define DEVICES "bus/pci/devices"
/* For drivers that come and go, and where states cannot be waited for. */
#define RESCAN_USEC 5000000ULL

static const struct vgpu_provider_ops sriov_ops;

static const struct vgpu_sriov_backend *const backends[] = {
	&vgpu_sriov_vgpu_backend,
	&vgpu_sriov_xe_backend,
	/* The last: vgpu_core's VFs have these files, too. */
	&vgpu_sriov_nvidia_backend,
};

struct vgpu_sriov *vgpu_sriov_of(struct vgpu_gpu *gpu)
{
	assert(gpu->ops == &sriov_ops);
	return gpu->provider;
}

struct vgpu_vf *vgpu_sriov_vf_of(const struct vgpu_instance *instance)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	uint32_t number = instance->definition.vf.number;

	if (instance->definition.is_stopped)
		return NULL;
	return number > 0 && number <= sriov->vf_count ? &sriov->vfs[number - 1]
						       : NULL;
}

const struct vgpu_type *vgpu_sriov_type(const struct vgpu_sriov *sriov,
					uint32_t key)
{
	for (size_t i = 0; key > 0 && i < sriov->type_count; i++)
		if (sriov->backend->key(&sriov->types[i]) == key)
			return &sriov->types[i];
	return NULL;
}

bool vgpu_sriov_has_type(const struct vgpu_vf *vf,
			 const struct vgpu_instance *instance)
{
	return vf->type > 0 &&
	       vf->type == vf->sriov->backend->key(&instance->definition.type);
}

const char *vgpu_sriov_vf_driver(const struct vgpu_sriov *sriov)
{
	const char *const *drivers = sriov->backend->vf_drivers;

	if (drivers[1] &&
	    !vgpu_vf_driver_is_loaded(sriov->manager->sysfs, drivers[0]) &&
	    vgpu_vf_driver_is_loaded(sriov->manager->sysfs, drivers[1]))
		return drivers[1];
	return drivers[0];
}

bool vgpu_sriov_is_ready(const struct vgpu_sriov *sriov)
{
	return sriov->is_present && !sriov->gpu->unusable[0];
}

int vgpu_sriov_read_vf(struct vgpu_vf *vf)
{
	struct vgpu_sriov *sriov = vf->sriov;

	/* The PCI core counts them from 0. */
	if (vgpu_sysfs_read_link(sriov->manager->sysfs, vf->address,
				 sizeof(vf->address), DEVICES "/%s/virtfn%u",
				 sriov->gpu->id, vf->number - 1) < 0)
		vf->address[0] = '\0';
	return sriov->backend->read_vf(sriov, vf);
}

static size_t sriov_type_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	return vgpu_sriov_of(gpu)->type_count;
}

static const struct vgpu_type *sriov_type_at(struct vgpu_manager *manager,
					     struct vgpu_gpu *gpu, size_t i)
{
	return &vgpu_sriov_of(gpu)->types[i];
}

static uint64_t sriov_free_bytes(struct vgpu_manager *manager,
				 struct vgpu_gpu *gpu)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	uint64_t bytes = gpu->framebuffer.size;

	if (!sriov->is_present)
		return 0;
	for (size_t i = 0; i < sriov->vf_count; i++) {
		const struct vgpu_type *type =
			vgpu_sriov_type(sriov, sriov->vfs[i].type);
		uint64_t taken = type ? type->framebuffer_mib * VGPU_MIB : 0;

		bytes -= VGPU_MIN(bytes, taken);
	}
	return bytes;
}

static bool is_claimed(const struct vgpu_sriov *sriov, uint32_t number)
{
	struct vgpu_instance *instance;

	TAILQ_FOREACH(instance, &sriov->manager->instances, entry)
	if (instance->gpu == sriov->gpu &&
	    instance->definition.vf.number == number &&
	    !instance->definition.is_stopped)
		return true;
	return false;
}

/*
 * Whether a new vGPU can be @vf. One that another driver has is not taken away
 * from it: who knows what for it was bound there.
 */
static bool is_vf_free(const struct vgpu_sriov *sriov, const struct vgpu_vf *vf)
{
	char bound[32];

	if (vf->type || vf->state != VGPU_VF_NONE ||
	    is_claimed(sriov, vf->number))
		return false;
	if (sriov->vfs_enabled == 0)
		return true; /* they are enabled for the first vGPU */
	return vf->address[0] &&
	       !vgpu_vf_driver_is_other(sriov->manager->sysfs, vf->address,
					vgpu_sriov_vf_driver(sriov), bound);
}

static uint64_t count_free_vfs(const struct vgpu_sriov *sriov)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sriov->vf_count; i++)
		n += is_vf_free(sriov, &sriov->vfs[i]);
	return n;
}

static uint64_t sriov_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			    const struct vgpu_type *type)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	uint64_t n, vfs;

	if (gpu->unusable[0])
		return 0;
	n = sriov->backend->count(sriov, type);
	vfs = n > 0 ? count_free_vfs(sriov) : 0;
	return VGPU_MIN(n, vfs);
}

static int refuse_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			const struct vgpu_type *type, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	char fitting[200];

	if (count_free_vfs(sriov) == 0)
		return vgpu_err_set(
			err, -ENOSPC, "NoRoom",
			"%s has no virtual function left: %zu of %zu are enabled, and each has a vGPU or another driver",
			gpu->id, sriov->vfs_enabled, sriov->vf_count);
	vgpu_capacity_list_fitting(manager, gpu, fitting, sizeof(fitting));
	return vgpu_err_set(
		err, -ENOSPC, "NoRoom",
		"type %s needs %u MiB%s, and %llu MiB of %s's %llu MiB is free; types that still fit:%s",
		type->name, type->framebuffer_mib,
		sriov->is_mixed ? " at a place that it can have"
				: " and vGPUs of its size only beside it",
		(unsigned long long)(sriov_free_bytes(manager, gpu) / VGPU_MIB),
		gpu->id, (unsigned long long)(gpu->framebuffer.size / VGPU_MIB),
		fitting[0] ? fitting : " none");
}

static int sriov_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		       struct vgpu_definition *definition, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	const struct vgpu_type *type = &definition->type;
	size_t i = 0;

	if (definition->vf.is_pinned && !sriov->backend->has_placements)
		return vgpu_err_set(
			err, -EINVAL, "BadPlacement",
			"on %s a vGPU's place in the framebuffer cannot be chosen",
			gpu->id);
	while (i < sriov->vf_count && !is_vf_free(sriov, &sriov->vfs[i]))
		i++;
	if (i == sriov->vf_count || sriov->backend->count(sriov, type) == 0)
		return refuse_place(manager, gpu, type, err);
	definition->vf.number = sriov->vfs[i].number;
	definition->vf.is_mixed = sriov->is_mixed;
	definition->place =
		(struct vgpu_extent){.size = type->framebuffer_mib * VGPU_MIB};
	return 0;
}

/* What others did to its VF meanwhile is found out when it is made. */
static bool sriov_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			  const struct vgpu_definition *definition)
{
	return true;
}

static int sriov_start(struct vgpu_gpu *gpu)
{
	vgpu_sriov_refresh(gpu);
	return 0;
}

static void sriov_finish(struct vgpu_gpu *gpu)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);

	vgpu_sriov_forget_vfs(sriov);
	free(sriov->types);
	free(sriov);
	gpu->provider = NULL;
}

static int sriov_show_gpu(struct vgpu_gpu *gpu, sd_json_variant **json)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	uint64_t used = 0;
	int r;

	for (size_t i = 0; i < sriov->vf_count; i++)
		used += sriov->vfs[i].state != VGPU_VF_NONE;
	r = sd_json_variant_merge_objectbo(
		json, SD_JSON_BUILD_PAIR_UNSIGNED("vfsTotal", sriov->vf_count),
		SD_JSON_BUILD_PAIR_UNSIGNED("vfsEnabled", sriov->vfs_enabled),
		SD_JSON_BUILD_PAIR_UNSIGNED("vfsUsed", used));
	return r < 0 ? r : sriov->backend->show_gpu(sriov, json);
}

static int sriov_show(struct vgpu_instance *instance, sd_json_variant **json)
{
	const struct vgpu_definition *d = &instance->definition;
	const struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);
	int r;

	r = sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(!d->is_stopped, "vf",
					     SD_JSON_BUILD_UNSIGNED(d->vf.number)),
		SD_JSON_BUILD_PAIR_CONDITION(
			vf && vf->address[0], "pciAddress",
			SD_JSON_BUILD_STRING(vf ? vf->address : "")),
		SD_JSON_BUILD_PAIR_CONDITION(d->type.id > 0, "typeId",
					     SD_JSON_BUILD_UNSIGNED(d->type.id)),
		SD_JSON_BUILD_PAIR_UNSIGNED("maxHeads", d->type.heads),
		SD_JSON_BUILD_PAIR_BOOLEAN("pinned", d->vf.is_pinned),
		SD_JSON_BUILD_PAIR_CONDITION(
			d->vf.is_pinned && d->is_stopped, "placement",
			SD_JSON_BUILD_UNSIGNED(d->vf.placement)),
		SD_JSON_BUILD_PAIR_CONDITION(instance->is_foreign, "foreign",
					     SD_JSON_BUILD_BOOLEAN(true)));
	if (r >= 0 && vf)
		r = vf->sriov->backend->show(vf->sriov, vf, json);
	return r;
}

static int sriov_qemu_arguments(struct vgpu_instance *instance,
				sd_json_variant **ret_json,
				sd_json_variant **ret_device,
				const char **ret_note, struct vgpu_err *err)
{
	const struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);
	char device[96], id[16];
	int r;

	/* One that was lost may be opened again once it is closed. */
	if (!vf || !vf->address[0] || !vgpu_sriov_has_type(vf, instance) ||
	    (vf->state == VGPU_VF_FAILED && vf->opener > 0))
		return vgpu_err_set(
			err, -ENOTCONN, "NotActive",
			"the vGPU is %s: it has no virtual function to give to a machine",
			vgpu_instance_state(instance));
	/* Eight digits tell the vGPUs of one machine apart. */
	snprintf(id, sizeof(id), "vgpu-%.8s", instance->definition.uuid);
	snprintf(device, sizeof(device), "vfio-pci,id=%s,host=%s,display=off",
		 id, vf->address);
	r = sd_json_variant_append_arrayb(ret_json,
					  SD_JSON_BUILD_STRING("-device"));
	if (r >= 0)
		r = sd_json_variant_append_arrayb(ret_json,
						  SD_JSON_BUILD_STRING(device));
	if (r >= 0)
		r = sd_json_buildo(
			ret_device,
			SD_JSON_BUILD_PAIR_STRING("driver", "vfio-pci"),
			SD_JSON_BUILD_PAIR_STRING("id", id),
			SD_JSON_BUILD_PAIR_STRING("host", vf->address),
			SD_JSON_BUILD_PAIR_STRING("display", "off"));
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "%s", strerror(-r));
	*ret_note =
		"QEMU pins the VM's memory, so its limit on locked memory must allow for that; the VM's own -uuid UUID should stay the same from start to start";
	return 0;
}

static const struct vgpu_provider_ops sriov_ops = {
	.name = "sriov",
	.type_count = sriov_type_count,
	.type_at = sriov_type_at,
	.free_bytes = sriov_free_bytes,
	.count = sriov_count,
	.place = sriov_place,
	.is_free = sriov_is_free,
	.start = sriov_start,
	.finish = sriov_finish,
	.refresh = vgpu_sriov_refresh,
	.begin = vgpu_sriov_begin,
	.release = vgpu_sriov_release,
	.show_gpu = sriov_show_gpu,
	.show = sriov_show,
	.qemu_arguments = sriov_qemu_arguments,
};

static void add_gpu(struct vgpu_manager *manager, const char *address,
		    const struct vgpu_sriov_backend *backend)
{
	struct vgpu_sriov *sriov;
	struct vgpu_instance *instance;
	struct vgpu_gpu *gpu;

	/* A host's Vulkan driver may have it too. */
	gpu = vgpu_inventory_find(&manager->inventory, address);
	if (gpu && gpu->ops)
		return;
	sriov = calloc(1, sizeof(*sriov));
	if (!gpu)
		gpu = vgpu_inventory_add(&manager->inventory, address);
	if (!gpu || !sriov) {
		free(sriov);
		return;
	}
	*sriov = (struct vgpu_sriov){
		.manager = manager,
		.gpu = gpu,
		.backend = backend,
	};
	gpu->provider = sriov;
	gpu->ops = &sriov_ops;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (!instance->gpu && strcmp(instance->definition.gpu, gpu->id) == 0)
		instance->gpu = gpu;
	vgpu_sriov_refresh(gpu);
	if (manager->is_loaded)
		vgpu_sriov_start(manager);
}

void vgpu_sriov_scan(struct vgpu_manager *manager)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	size_t count;

	if (manager->sysfs < 0 ||
	    vgpu_sysfs_list(manager->sysfs, &names, &count, DEVICES) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < VGPU_ARRAY_SIZE(backends); j++)
			if (vgpu_sysfs_exists(manager->sysfs, DEVICES "/%s/%s",
					      names[i], backends[j]->folder))
				add_gpu(manager, names[i], backends[j]);
}

static bool has_anything(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	for (size_t i = 0; i < manager->inventory.count; i++)
		if (manager->inventory.gpus[i].ops == &sriov_ops)
			return true;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->definition.vf.number > 0)
		return true;
	return false;
}

static int on_rescan(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_manager *manager = userdata;

	manager->hooks->refresh(manager);
	sd_event_source_set_time_relative(source, RESCAN_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void vgpu_sriov_start(struct vgpu_manager *manager)
{
	int r;

	if (manager->rescan_timer || !has_anything(manager))
		return;
	r = sd_event_add_time_relative(manager->event, &manager->rescan_timer,
				       CLOCK_MONOTONIC, RESCAN_USEC, 0,
				       on_rescan, manager);
	if (r < 0)
		vgpu_log("GPUs are only looked at when vgpud is called: %s",
			 strerror(-r));
}

void vgpu_sriov_retry(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	vgpu_sriov_scan(manager);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->definition.vf.number > 0 && instance->gpu &&
	    !instance->is_foreign && instance->phase == VGPU_PHASE_FAILED)
		vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED);
	manager->hooks->refresh(manager);
	vgpu_sriov_start(manager);
}
