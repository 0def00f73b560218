/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GPUs whose own driver makes mediated devices: Intel's GVT-g, NVIDIA's vGPU. A
 * vGPU is one of these; it has no process of ours, and its number as a virtual
 * function is 1, which says that. Whether a virtual machine has it open sysfs
 * does not say.
 */
#include "foreign.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "device.h"
#include "lib/util.h"
#include "manager/host/json.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/lifecycle.h"
#include "types.h"

#define PARENTS	   "class/mdev_bus"
#define OUR_PARENT "vgpu_mdev"
#define OUR_TYPES  "class/vgpu-mdev/vgpu_mdev/types" /* made.c */
#define NO_PROCESS 1

struct parent {
	struct vgpu_manager *manager;
	struct vgpu_gpu *gpu;
	char folder[64]; /* below sysfs */
	struct vgpu_mdev_types types;
	bool is_present;
};

static const struct vgpu_provider_ops mdev_ops;

static struct parent *parent_of(struct vgpu_gpu *gpu)
{
	assert(gpu->ops == &mdev_ops);
	return gpu->provider;
}

/* Which of the driver's types; count if it has none of that name. */
static size_t find_type(const struct parent *parent, const char *name)
{
	size_t i = 0;

	while (i < parent->types.count &&
	       strcmp(parent->types.types[i].name, name) != 0)
		i++;
	return i;
}

static size_t mdev_type_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	return parent_of(gpu)->types.count;
}

static const struct vgpu_type *mdev_type_at(struct vgpu_manager *manager,
					    struct vgpu_gpu *gpu, size_t i)
{
	return &parent_of(gpu)->types.types[i];
}

static uint64_t available(const struct parent *parent, size_t i)
{
	return parent->is_present && i < parent->types.count
		       ? vgpu_mdev_types_available(&parent->types, i,
						   parent->manager->sysfs,
						   parent->folder)
		       : 0;
}

/* As far as it can be told: what fits of the type that most fits of. */
static uint64_t mdev_free_bytes(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	const struct parent *parent = parent_of(gpu);
	uint64_t most = 0;

	for (size_t i = 0; i < parent->types.count; i++) {
		uint64_t bytes = available(parent, i) *
				 parent->types.types[i].framebuffer_mib *
				 VGPU_MIB;

		most = VGPU_MAX(most, bytes);
	}
	return most;
}

static uint64_t mdev_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			   const struct vgpu_type *type)
{
	const struct parent *parent = parent_of(gpu);

	return available(parent, find_type(parent, type->name));
}

static int mdev_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		      struct vgpu_definition *definition, struct vgpu_err *err)
{
	char fitting[200];

	if (definition->vf.is_pinned)
		return vgpu_err_set(
			err, -EINVAL, "BadPlacement",
			"on %s a vGPU's place in the framebuffer cannot be chosen",
			gpu->id);
	if (mdev_count(manager, gpu, &definition->type) == 0) {
		vgpu_capacity_list_fitting(manager, gpu, fitting,
					   sizeof(fitting));
		return vgpu_err_set(
			err, -ENOSPC, "NoRoom",
			"the driver of %s makes no more of type %s; types that still fit:%s",
			gpu->id, definition->type.name,
			fitting[0] ? fitting : " none");
	}
	definition->vf.number = NO_PROCESS;
	definition->vf.placement = VGPU_PLACEMENT_ANY;
	definition->place = (struct vgpu_extent){
		.size = definition->type.framebuffer_mib * VGPU_MIB};
	return 0;
}

static bool mdev_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			 const struct vgpu_definition *definition)
{
	return true; /* found out when it is made */
}

/* Whether the vGPU's device is there and of its type. */
static bool is_made(const struct vgpu_instance *instance)
{
	const struct parent *parent = parent_of(instance->gpu);
	size_t i = find_type(parent, instance->definition.type.name);
	char type[VGPU_MDEV_TYPE_SIZE];

	return i < parent->types.count &&
	       vgpu_mdev_type(parent->manager->sysfs, instance->definition.uuid,
			      type) == 0 &&
	       strcmp(type, parent->types.folders[i]) == 0;
}

static int make(struct vgpu_instance *instance, struct vgpu_err *err)
{
	const struct parent *parent = parent_of(instance->gpu);
	const struct vgpu_definition *d = &instance->definition;
	size_t i = find_type(parent, d->type.name);
	int sysfs = parent->manager->sysfs;

	if (!parent->is_present)
		return vgpu_err_set(err, -ENODEV, "GpuUnusable", "%s is %s",
				    d->gpu, instance->gpu->unusable);
	if (i == parent->types.count)
		return vgpu_err_set(err, -ENOENT, "NoSuchType",
				    "the driver of %s has no type %s any more",
				    d->gpu, d->type.name);
	if (instance->has_host_device && is_made(instance))
		return 0;
	if (vgpu_mdev_exists(sysfs, d->uuid))
		return vgpu_err_set(
			err, -EEXIST, "UuidInUse",
			"others made a mediated device of the uuid %s: remove it there, or choose another uuid",
			d->uuid);
	return vgpu_mdev_create(sysfs, parent->folder, parent->types.folders[i],
				d->uuid, err);
}

static void settle(struct vgpu_instance *instance)
{
	instance->has_host_device = true;
	instance->lacks_gpu = false;
	if (vgpu_instance_set_phase(instance, VGPU_PHASE_STARTING) < 0 ||
	    vgpu_instance_set_phase(instance, VGPU_PHASE_ACTIVE) < 0)
		return;
	vgpu_instance_event(instance, "active",
			    "the mediated device can be given to a machine");
}

/* Choose a place for one that had none. */
static int place(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_definition next = instance->definition;
	int r = 0;

	if (next.is_stopped) {
		r = mdev_place(instance->manager, instance->gpu, &next, err);
		next.is_stopped = false;
		if (r == 0)
			r = vgpu_store_save(&instance->manager->paths, &next,
					    err);
	}
	if (r < 0)
		return r;
	instance->definition = next;
	instance->is_placed = true;
	return 0;
}

static void mdev_begin(struct vgpu_instance *instance)
{
	struct parent *parent = parent_of(instance->gpu);
	bool is_asked = instance->creator.ops;
	bool is_new = is_asked && !instance->is_kept;
	struct vgpu_err err = {};

	/* When it is there it is tried again. */
	instance->lacks_gpu = !parent->is_present;
	if (!instance->is_wanted && parent->is_present && !is_made(instance)) {
		vgpu_lifecycle_rest(instance);
		return;
	}
	if (place(instance, &err) < 0 || make(instance, &err) < 0) {
		if (is_asked)
			instance->create_err = err;
		vgpu_lifecycle_fail(instance, "%s", err.text);
		return;
	}
	instance->timer = sd_event_source_disable_unref(instance->timer);
	instance->is_wanted = true;
	vgpu_instance_event_by(
		instance, vgpu_caller_uid(&instance->creator),
		is_new ? "created" : "started",
		is_new ? "a vGPU of type %s on %s" : "it was defined before",
		instance->definition.type.name, instance->definition.gpu);
	vgpu_lifecycle_answer(instance);
	settle(instance);
	instance->manager->hooks->changed(instance->manager);
}

/*
 * Removing a device that a virtual machine has open waits for that. A VFIO
 * group is open once: who opens it has seen that nobody else has.
 */
static int check_unused(const struct vgpu_instance *instance, struct vgpu_err *err)
{
	int group = vgpu_mdev_group(instance->manager->sysfs,
				    instance->definition.uuid);
	vgpu_autoclose int fd = -1;
	char path[32];

	if (group < 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0 || errno == ENOENT)
		return 0;
	if (errno == EBUSY)
		return vgpu_err_set(
			err, -EBUSY, "InUse",
			"a process has %s open: shut its virtual machine down first; a VFIO device cannot be taken away by force",
			path);
	return vgpu_err_set(
		err, -errno, "Internal",
		"%s cannot be opened (%s), so that nobody knows whether a virtual machine has it",
		path, strerror(errno));
}

static int mdev_release(struct vgpu_instance *instance, struct vgpu_err *err)
{
	int r;

	if (instance->is_foreign)
		return vgpu_err_set(
			err, -EPERM, "Foreign",
			"the mediated device %s was not made by this vgpud: who made it removes it",
			instance->definition.uuid);
	if (!instance->has_host_device || !is_made(instance))
		return 0;
	r = check_unused(instance, err);
	if (r == 0)
		r = vgpu_mdev_remove(instance->manager->sysfs,
				     instance->definition.uuid, err);
	if (r == 0)
		instance->has_host_device = false;
	return r;
}

static int mdev_start(struct vgpu_gpu *gpu)
{
	gpu->ops->refresh(gpu);
	return 0;
}

static void mdev_finish(struct vgpu_gpu *gpu)
{
	struct parent *parent = parent_of(gpu);

	vgpu_mdev_types_finish(&parent->types);
	free(parent);
	gpu->provider = NULL;
}

static void read_parent(struct parent *parent)
{
	struct vgpu_gpu *gpu = parent->gpu;
	struct vgpu_mdev_types types = {};

	parent->is_present = vgpu_mdev_types_read(parent->manager->sysfs,
						  parent->folder, &types) == 0;
	if (!parent->is_present) {
		VGPU_TEXT_SET(gpu->unusable, "its driver is not bound any more");
		return;
	}
	vgpu_mdev_types_finish(&parent->types);
	parent->types = types;
	gpu->unusable[0] = '\0';
	for (size_t i = 0; i < types.count; i++) {
		const struct vgpu_type *type = &types.types[i];
		uint64_t bytes = (uint64_t)type->framebuffer_mib *
				 type->max_instances * VGPU_MIB;

		gpu->framebuffer.size = VGPU_MAX(gpu->framebuffer.size, bytes);
	}
	gpu->framebuffer.size = VGPU_MAX(gpu->framebuffer.size,
					 mdev_free_bytes(parent->manager, gpu));
	gpu->memory_mib = gpu->framebuffer.size / VGPU_MIB;
}

/* What became of the device of one that is there, or could not be made. */
static void follow(struct vgpu_instance *instance)
{
	struct parent *parent = parent_of(instance->gpu);

	if (instance->phase == VGPU_PHASE_ACTIVE && !is_made(instance)) {
		instance->lacks_gpu = !parent->is_present;
		instance->has_host_device = false;
		if (parent->is_present)
			vgpu_lifecycle_fail(
				instance,
				"others removed its mediated device: `vgpuctl start` makes it again");
		else
			vgpu_lifecycle_fail(instance,
					    "its GPU %s cannot be used: %s",
					    instance->definition.gpu,
					    instance->gpu->unusable);
	} else if (instance->phase == VGPU_PHASE_FAILED &&
		   instance->lacks_gpu && parent->is_present) {
		vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED);
	}
}

static void follow_foreign(struct vgpu_instance *instance)
{
	if (is_made(instance))
		return;
	vgpu_instance_event(instance, "destroyed",
			    "others removed the mediated device");
	vgpu_instance_destroy(instance);
}

static void adopt_foreign(struct parent *parent, const char *uuid)
{
	struct vgpu_definition d = {
		.vf = {.number = NO_PROCESS, .placement = VGPU_PLACEMENT_ANY},
	};
	char folder[VGPU_MDEV_TYPE_SIZE];
	struct vgpu_instance *instance;
	size_t i = 0;

	if (vgpu_mdev_type(parent->manager->sysfs, uuid, folder) < 0)
		return;
	while (i < parent->types.count &&
	       strcmp(parent->types.folders[i], folder) != 0)
		i++;
	if (i == parent->types.count)
		return;
	VGPU_TEXT_SET(d.uuid, uuid);
	VGPU_TEXT_SET(d.gpu, parent->gpu->id);
	d.type = parent->types.types[i];
	d.place.size = d.type.framebuffer_mib * VGPU_MIB;
	instance = vgpu_instance_create(parent->manager, &d);
	if (!instance)
		return;
	instance->is_foreign = true;
	instance->is_placed = true;
	vgpu_instance_event(instance, "started", "others made it");
	settle(instance);
}

/* Devices of others on this GPU. */
static void find_foreign(struct parent *parent)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	size_t count;

	if (vgpu_sysfs_list(parent->manager->sysfs, &names, &count, "%s",
			    parent->folder) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (vgpu_uuid_has_form(names[i]) &&
		    !vgpu_instance_find(parent->manager, names[i], NULL))
			adopt_foreign(parent, names[i]);
}

static void mdev_refresh(struct vgpu_gpu *gpu)
{
	struct parent *parent = parent_of(gpu);
	struct vgpu_manager *manager = parent->manager;
	struct vgpu_instance *instance, *next;

	read_parent(parent);
	for (instance = TAILQ_FIRST(&manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		if (instance->gpu != gpu)
			continue;
		if (instance->is_foreign)
			follow_foreign(instance);
		else
			follow(instance);
	}
	if (!manager->is_loaded || !parent->is_present)
		return;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		if (instance->gpu == gpu && !instance->creator.ops &&
		    instance->phase == VGPU_PHASE_DEFINED)
			mdev_begin(instance);
	}
	find_foreign(parent);
}

static int mdev_show(struct vgpu_instance *instance, sd_json_variant **json)
{
	const struct vgpu_definition *d = &instance->definition;
	char path[VGPU_SYSFS_PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s", d->uuid);
	return sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(instance->phase == VGPU_PHASE_ACTIVE,
					     "sysfsPath",
					     SD_JSON_BUILD_STRING(path)),
		SD_JSON_BUILD_PAIR_UNSIGNED("typeId", d->type.id),
		SD_JSON_BUILD_PAIR_UNSIGNED("maxHeads", d->type.heads),
		SD_JSON_BUILD_PAIR_CONDITION(instance->is_foreign, "foreign",
					     SD_JSON_BUILD_BOOLEAN(true)));
}

static int mdev_qemu_arguments(struct vgpu_instance *instance,
			       sd_json_variant **ret_json,
			       sd_json_variant **ret_device,
			       const char **ret_note, struct vgpu_err *err)
{
	int r;

	if (!is_made(instance))
		return vgpu_err_set(
			err, -ENOTCONN, "NotActive",
			"the vGPU is %s: it has no mediated device to give to a machine",
			vgpu_instance_state(instance));
	r = vgpu_mdev_arguments(instance->definition.uuid, ret_json, ret_device);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "%s", strerror(-r));
	*ret_note =
		"QEMU must be allowed to open the device's group in /dev/vfio; where the driver pins the VM's memory, its limit on locked memory must allow for that";
	return 0;
}

static const struct vgpu_provider_ops mdev_ops = {
	.name = "mdev",
	.type_count = mdev_type_count,
	.type_at = mdev_type_at,
	.free_bytes = mdev_free_bytes,
	.count = mdev_count,
	.place = mdev_place,
	.is_free = mdev_is_free,
	.start = mdev_start,
	.finish = mdev_finish,
	.refresh = mdev_refresh,
	.begin = mdev_begin,
	.release = mdev_release,
	.show = mdev_show,
	.qemu_arguments = mdev_qemu_arguments,
};

static void add_gpu(struct vgpu_manager *manager, const char *name)
{
	struct vgpu_gpu *gpu = vgpu_inventory_find(&manager->inventory, name);
	struct vgpu_instance *instance;
	struct parent *parent;
	char driver[64];

	/* It is one of another provider, or is known. */
	if (gpu && gpu->ops)
		return;
	parent = calloc(1, sizeof(*parent));
	if (!gpu)
		gpu = vgpu_inventory_add(&manager->inventory, name);
	if (!gpu || !parent) {
		free(parent);
		return;
	}
	*parent = (struct parent){.manager = manager, .gpu = gpu};
	snprintf(parent->folder, sizeof(parent->folder), PARENTS "/%s", name);
	if (vgpu_sysfs_read_link(manager->sysfs, driver, sizeof(driver),
				 PARENTS "/%s/driver", name) < 0)
		VGPU_TEXT_SET(driver, name);
	/* A host's Vulkan driver may have named it. */
	if (!gpu->name[0])
		snprintf(gpu->name, sizeof(gpu->name), "GPU of the driver %s",
			 driver);
	VGPU_TEXT_SET(gpu->driver, driver);
	if (!strchr(name, ':'))
		gpu->pci_address[0] = '\0';
	gpu->provider = parent;
	gpu->ops = &mdev_ops;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		if (!instance->gpu &&
		    strcmp(instance->definition.gpu, gpu->id) == 0)
			instance->gpu = gpu;
	}
	mdev_refresh(gpu);
}

void vgpu_mdev_scan(struct vgpu_manager *manager)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	char line[64], ours[64];
	size_t count;

	if (manager->sysfs < 0 ||
	    vgpu_sysfs_list(manager->sysfs, &names, &count, PARENTS) < 0)
		return;
	/* The GPU that the module offers vgpud's own types at. */
	if (vgpu_sysfs_read(manager->sysfs, line, sizeof(line), OUR_TYPES) < 0 ||
	    sscanf(line, "parent %63s", ours) != 1)
		ours[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], OUR_PARENT) != 0 &&
		    strcmp(names[i], ours) != 0 &&
		    strlen(names[i]) < sizeof(((struct vgpu_gpu *)NULL)->id))
			add_gpu(manager, names[i]);
}
