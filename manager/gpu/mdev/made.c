/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vGPUs that are made as mediated devices. The module vgpu_mdev is told which types
 * there are, and offers them as those of a GPU, or of a parent of its own; a device
 * that is made of one becomes a vGPU, which is gone when the device is.
 */
#include "made.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#include "device.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "manager/vgpu/access.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/create.h"
#include "manager/vgpu/lifecycle.h"
#include "manager/vgpu/transport.h"
#include "transport.h"

#define TYPES	"class/vgpu-mdev/vgpu_mdev/types"
#define DEVICES "bus/mdev/devices"
#define KEY	"parent "
#define LOG	"vgpu_mdev: "
/* sysfs takes a page at once. */
#define TYPES_SIZE 4096

/* The kernel tells of a device before all of it is in sysfs: look again. */
#define LOOKS		5
#define FIRST_LOOK_USEC 50000

struct vgpu_mdev_made {
	struct vgpu_manager *manager;
	char told[TYPES_SIZE]; /* what the module knows; "": nothing */
	int told_result;       /* of the last try, which is logged once */
	int fd;		       /* of its file */
	sd_event_source *watch;
	sd_event_source *timer;
	unsigned int looks; /* still to come */
};

static uint64_t count_all(struct vgpu_manager *manager,
			  const struct vgpu_type *type)
{
	uint64_t count = 0;

	for (size_t i = 0; i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		if (gpu->memory && !gpu->unusable[0])
			count += vgpu_capacity_count(manager, gpu, type);
	}
	return VGPU_MIN(count, UINT32_MAX);
}

/* libvirt finds types of PCI devices only. */
static const char *choose_parent(const struct vgpu_manager *manager)
{
	if (manager->config.mdev_parent[0])
		return manager->config.mdev_parent;
	for (size_t i = 1; i < manager->inventory.count; i++) {
		const struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		if (gpu->memory && gpu->pci_address[0])
			return gpu->pci_address;
	}
	return VGPU_MDEV_PARENT;
}

/* A line for the parent, and one for each type; what has no room is not offered. */
static void describe_types(struct vgpu_manager *manager, char ret[TYPES_SIZE])
{
	const struct vgpu_types *types = manager->catalogue.types;
	size_t length = (size_t)snprintf(ret, TYPES_SIZE, KEY "%s\n",
					 choose_parent(manager));

	for (size_t i = 0; i < vgpu_types_count(types); i++) {
		const struct vgpu_type *type = vgpu_types_at(types, i);
		char line[160];
		int n = snprintf(
			line, sizeof(line),
			"%s %" PRIu64
			" num_heads=%u, framebuffer=%uM, max_resolution=%ux%u\n",
			type->name, count_all(manager, type), type->heads,
			type->framebuffer_mib, type->max_width, type->max_height);

		if (n < 0 || length + (size_t)n >= TYPES_SIZE - 1)
			return;
		memcpy(ret + length, line, (size_t)n + 1);
		length += (size_t)n;
	}
}

static void log_result(struct vgpu_mdev_made *made, int r)
{
	if (r == made->told_result)
		return;
	made->told_result = r;
	if (r == -EBUSY)
		vgpu_log(LOG
			 "the types that it offers stay as they are until all devices of them are removed");
	else if (r < 0)
		vgpu_log(LOG "it does not take vgpud's types: %s", strerror(-r));
}

void vgpu_mdev_made_tell(struct vgpu_manager *manager)
{
	struct vgpu_mdev_made *made = manager->mdev_made;
	char text[TYPES_SIZE];
	int r;

	if (!made || !made->watch)
		return;
	describe_types(manager, text);
	if (strcmp(text, made->told) == 0)
		return;
	r = vgpu_sysfs_write(manager->sysfs, text, TYPES);
	log_result(made, r);
	if (r >= 0)
		memcpy(made->told, text, sizeof(text));
}

static void unwatch(struct vgpu_mdev_made *made)
{
	made->watch = sd_event_source_disable_unref(made->watch);
	made->fd = vgpu_close(made->fd);
	made->told[0] = '\0';
}

/* What comes after it was read is told. */
static bool rearm(struct vgpu_mdev_made *made)
{
	char ignored[64];
	ssize_t n = pread(made->fd, ignored, sizeof(ignored), 0);

	/* Its parent was taken out of the machine. */
	if (n == 0)
		made->told[0] = '\0';
	return n >= 0;
}

static void look_again(struct vgpu_mdev_made *made);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_mdev_made *made = userdata;

	vgpu_mdev_made_refresh(made->manager);
	look_again(made);
	return 0;
}

static void look_again(struct vgpu_mdev_made *made)
{
	made->timer = sd_event_source_disable_unref(made->timer);
	if (made->looks == 0)
		return;
	made->looks--;
	sd_event_add_time_relative(
		made->manager->event, &made->timer, CLOCK_MONOTONIC,
		FIRST_LOOK_USEC << (LOOKS - made->looks), 0, on_timer, made);
}

static int on_change(sd_event_source *source, int fd, uint32_t revents,
		     void *userdata)
{
	struct vgpu_mdev_made *made = userdata;

	/* One that is gone would be ready for ever. */
	if (!rearm(made))
		unwatch(made);
	made->looks = LOOKS;
	vgpu_mdev_made_refresh(made->manager);
	look_again(made);
	return 0;
}

static void watch(struct vgpu_mdev_made *made)
{
	int r;

	if (made->watch && rearm(made))
		return;
	unwatch(made);
	made->fd = vgpu_sysfs_open(made->manager->sysfs, TYPES);
	if (made->fd < 0 || !rearm(made)) {
		unwatch(made);
		return;
	}
	r = sd_event_add_io(made->manager->event, &made->watch, made->fd,
			    EPOLLPRI, on_change, made);
	if (r < 0) {
		vgpu_log(LOG TYPES " cannot be waited for: %s", strerror(-r));
		unwatch(made);
	}
}

static void ignore_success(void *link, const char *uuid)
{
}

/* What was begun was undone, the device with it. */
static void log_failure(void *link, const struct vgpu_err *err)
{
	vgpu_log(LOG "a device that was made cannot be a vGPU: %s", err->text);
}

static void ignore_drop(void *link)
{
}

static const struct vgpu_caller_ops nobody = {
	.succeed = ignore_success,
	.fail = log_failure,
	.drop = ignore_drop,
};

/* A device that cannot be served is worse than none. */
static void refuse(struct vgpu_manager *manager, const char *uuid,
		   const struct vgpu_err *why)
{
	struct vgpu_err err = {};

	if (vgpu_mdev_take_away(manager, uuid, &err) == 0)
		vgpu_events_add(
			&manager->events, "manager", uuid, NULL,
			"a mediated device was made that cannot be a vGPU, and was removed: %s",
			why->text);
}

static void adopt(struct vgpu_manager *manager, const char *uuid)
{
	const struct vgpu_caller caller = {.ops = &nobody};
	char type[VGPU_MDEV_TYPE_SIZE];
	const char *name;
	struct vgpu_gpu *gpu = NULL;
	struct vgpu_err err = {};
	struct vgpu_owner owner;

	/* Not yet, or not any more. */
	if (!vgpu_mdev_is_of_module(manager->sysfs, uuid) ||
	    vgpu_mdev_type(manager->sysfs, uuid, type) < 0 ||
	    strcmp(type, VGPU_MDEV_TYPE) == 0)
		return;
	/* Behind what the kernel calls the parent's driver. */
	name = strrchr(type, '-');
	if (!name)
		return;
	vgpu_access_choose_owner(manager, 0, &owner);
	if (vgpu_create(manager,
			&(struct vgpu_create_request){
				.type = name + 1,
				.uuid = uuid,
				.placement = VGPU_PLACEMENT_ANY,
				.weight = -1,
				.frame_rate_limit = -1,
				.autostart = -1,
				.transport = "mdev",
				.is_transient = true,
				.owner_uid = owner.uid,
				.owner_gid = owner.gid,
			},
			&caller, &gpu, &err) < 0)
		refuse(manager, uuid, &err);
}

static void find_new(struct vgpu_manager *manager)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	size_t count;

	if (vgpu_sysfs_list(manager->sysfs, &names, &count, DEVICES) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (vgpu_uuid_has_form(names[i]) &&
		    !vgpu_instance_find(manager, names[i], NULL))
			adopt(manager, names[i]);
}

static void forget_gone(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance, *next;

	for (instance = TAILQ_FIRST(&manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		if (!instance->definition.is_transient || instance->creator.ops ||
		    instance->phase == VGPU_PHASE_ADOPTING ||
		    instance->phase == VGPU_PHASE_STOPPING ||
		    !vgpu_transport_is_gone(instance))
			continue;
		vgpu_instance_log(instance, "others removed its mediated device");
		instance->has_host_device = false;
		instance->is_kept = false;
		vgpu_lifecycle_stop(instance);
	}
}

void vgpu_mdev_made_refresh(struct vgpu_manager *manager)
{
	struct vgpu_mdev_made *made = manager->mdev_made;

	if (manager->sysfs < 0 || !manager->is_loaded)
		return;
	if (!made) {
		made = calloc(1, sizeof(*made));
		if (!made)
			return;
		*made = (struct vgpu_mdev_made){.manager = manager, .fd = -1};
		manager->mdev_made = made;
	}
	watch(made);
	forget_gone(manager);
	find_new(manager);
	vgpu_mdev_made_tell(manager);
}

void vgpu_mdev_made_finish(struct vgpu_manager *manager)
{
	struct vgpu_mdev_made *made = manager->mdev_made;

	if (!made)
		return;
	unwatch(made);
	sd_event_source_disable_unref(made->timer);
	free(made);
	manager->mdev_made = NULL;
}
