/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a vGPU: starting, replacing and ending its processes. */
#include "lifecycle.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "manager/host/closer.h"
#include "manager/device/key.h"
#include "manager/device/launcher.h"
#include "manager/device/retire.h"
#include "lib/util.h"
#include "manager/device/listen.h"
#include "manager/host/file.h"
#include "manager/host/log.h"
#include "manager/host/text.h"
#include "machine.h"
#include "scheduler.h"
#include "share.h"
#include "transport.h"
#include "vnc.h"

#define USEC_PER_S 1000000ULL
/* A process that served for so long resets the count of quick deaths. */
#define QUICK_END_USEC (5 * USEC_PER_S)
#define QUICK_ENDS_MAX 10
/* Events that a device may cause at once, and then each second. */
#define EVENT_TOKENS_MAX   20
#define EVENT_TOKENS_PER_S 2

static const struct vgpu_device_ops device_ops;

static uint64_t now_usec(struct vgpu_instance *instance)
{
	uint64_t now = 0;

	sd_event_now(instance->manager->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void no_renderer_path(const struct vgpu_instance *instance,
			     char path[VGPU_SOCKET_PATH_SIZE])
{
	vgpu_paths_instance(&instance->manager->paths, instance->definition.uuid,
			    VGPU_PATHS_NO_RENDERER, path);
}

/* No process has served what its virtual machine has, if there is one. */
static bool is_first(const struct vgpu_instance *instance)
{
	return vgpu_fd_store_get(&instance->fds, VGPU_SLOT_STATE) < 0;
}

/*
 * Whether guests have Vulkan, and a window into their memory. That is a matter of
 * the first process: with it a virtual machine got its devices. A later vgpud may
 * find a driver that was not there, or not find one because its probe was slow.
 */
static bool has_renderer(const struct vgpu_instance *instance)
{
	char path[VGPU_SOCKET_PATH_SIZE];

	if (is_first(instance))
		return instance->gpu->device_uuid[0];
	no_renderer_path(instance, path);
	return access(path, F_OK) < 0;
}

static int note_renderer(const struct vgpu_instance *instance,
			 bool has_renderer, struct vgpu_err *err)
{
	char path[VGPU_SOCKET_PATH_SIZE];
	int r;

	no_renderer_path(instance, path);
	r = has_renderer ? vgpu_file_remove(path) : vgpu_file_write(path, "", 0);
	return r < 0 ? vgpu_err_set(err, r, "Internal", "%s: %s", path,
				    strerror(-r))
		     : 0;
}

static void fill_start(const struct vgpu_instance *instance,
		       struct vgpu_control_start *ret_start)
{
	const struct vgpu_definition *d = &instance->definition;
	uint64_t segment = instance->gpu->segment_bytes;
	struct vgpu_control_start start = {
		.version = VGPU_CONTROL_VERSION,
		.heads = d->type.heads,
		.max_width = d->type.max_width,
		.max_height = d->type.max_height,
		.segments = segment ? (uint32_t)(d->place.size / segment) : 0,
		.frame_rate_limit = d->type.frame_rate_limit,
		.segment_bytes = segment,
		.framebuffer_bytes = d->type.framebuffer_mib * VGPU_MIB,
		.host_memory_bytes = d->type.host_memory_mib * VGPU_MIB,
		.has_renderer = has_renderer(instance),
		.is_framebuffer_new = instance->is_framebuffer_new,
		.is_for_container = d->is_for_container,
	};

	if (start.has_renderer)
		start.host_visible_bytes =
			vgpu_type_window(start.framebuffer_bytes);
	/* The embedded one is whichever software renderer there is. */
	if (!instance->gpu->is_software) {
		vgpu_uuid_bytes(instance->gpu->device_uuid, start.gpu_uuid);
		vgpu_scheduler_time(instance, &start.time);
	}

	VGPU_TEXT_SET(start.uuid, d->uuid);
	VGPU_TEXT_SET(start.name, d->name);
	VGPU_TEXT_SET(start.type, d->type.name);
	*ret_start = start;
}

static void lose_device(struct vgpu_instance *instance, const char *reason);

/* Set access again: an earlier vgpud may have had other owners. */
static void open_sockets(struct vgpu_instance *instance)
{
	struct vgpu_err err = {};

	if (vgpu_access_open_vgpu(instance->manager, &instance->definition,
				  &err) < 0)
		vgpu_log("%s: %s", instance->definition.uuid, err.text);
}

/*
 * How a later vgpud reaches the device: by its connection, where that is kept;
 * else by a listening socket and a key.
 */
static int prepare_control(struct vgpu_instance *instance,
			   uint8_t ret_key[VGPU_CONTROL_KEY_BYTES],
			   struct vgpu_err *err)
{
	const struct vgpu_paths *paths = &instance->manager->paths;
	int r;

	if (instance->manager->deposit) {
		/* A device of an earlier version may have had one. */
		vgpu_fd_store_drop(&instance->fds, VGPU_SLOT_CONTROL);
		vgpu_paths_remove_control(paths, instance->definition.uuid);
		return 0;
	}
	r = vgpu_key_have(paths, instance->definition.uuid, ret_key);
	return r < 0 ? vgpu_err_set(err, r, "Internal",
				    "no key for its control socket: %s",
				    strerror(-r))
		     : 0;
}

/* Create the vGPU's folder and sockets, and set who may connect. */
static int prepare_sockets(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_manager *manager = instance->manager;
	const struct vgpu_definition *d = &instance->definition;
	int r;

	if (vgpu_fd_store_get(&instance->fds, VGPU_SLOT_STATE) >= 0) {
		open_sockets(instance);
		return 0;
	}
	r = vgpu_listen_prepare(
		&manager->paths, d->uuid, vgpu_definition_socket(d),
		!d->is_for_container && d->type.heads > 0, &instance->fds, err);
	if (r >= 0)
		r = vgpu_transport_prepare(instance, err);
	if (r >= 0)
		r = vgpu_access_open_vgpu(manager, d, err);
	/*
	 * Drop the state block: the next attempt must prepare everything again.
	 */
	if (r < 0)
		vgpu_fd_store_drop(&instance->fds, VGPU_SLOT_STATE);
	return r;
}

/* Start the first process, or a successor that resumes from the store. */
static void start_device(struct vgpu_instance *instance)
{
	const struct vgpu_paths *paths = &instance->manager->paths;
	const char *uuid = instance->definition.uuid;
	char pid_path[VGPU_SOCKET_PATH_SIZE], temporary[VGPU_SOCKET_PATH_SIZE];
	struct vgpu_control_start start;
	bool is_new = is_first(instance);
	struct vgpu_err err = {};
	int r;

	if (vgpu_instance_set_phase(instance, VGPU_PHASE_STARTING) < 0)
		return;
	/* Its file, which is kept, is of no use any more. */
	if (vgpu_fd_store_get(&instance->fds, VGPU_SLOT_STATE) >= 0 &&
	    vgpu_transport_is_gone(instance)) {
		instance->has_host_device = false;
		vgpu_lifecycle_fail(
			instance,
			"others removed its VFIO device: `vgpuctl start` makes it again");
		return;
	}
	fill_start(instance, &start);
	vgpu_share_begin(instance);
	vgpu_paths_instance(paths, uuid, "device.pid", pid_path);
	vgpu_paths_instance(paths, uuid, "device.new", temporary);

	r = prepare_sockets(instance, &err);
	if (r >= 0 && is_new)
		r = note_renderer(instance, start.has_renderer, &err);
	if (r >= 0)
		r = vgpu_launcher_have(instance->manager->event, &instance->fds,
				       instance->group, &err);
	if (r >= 0)
		r = prepare_control(instance, start.key, &err);
	if (r >= 0)
		r = vgpu_device_start(instance->manager->event, &device_ops,
				      instance, &instance->fds, &start,
				      pid_path, temporary, instance->group,
				      &instance->device, &err);
	if (r < 0)
		lose_device(instance, err.text);
}

/* It is taken away from a virtual machine that has it, if one does. */
static void retire_device(struct vgpu_instance *instance)
{
	struct vgpu_control_start start;
	struct vgpu_err err = {};

	/* A virtual function has no device process. */
	if (!instance->gpu || !instance->gpu->memory ||
	    instance->definition.is_for_container)
		return;
	fill_start(instance, &start);
	if (vgpu_retire(instance->manager->event, &instance->fds, &start, &err) <
	    0)
		vgpu_instance_log(
			instance,
			"its virtual machine is left without a device: %s",
			err.text);
}

/* Forget all processes; the framebuffer stays allocated. */
static void make_fresh(struct vgpu_instance *instance)
{
	vgpu_fd_store_keep_segments(&instance->fds);
	instance->status = (struct vgpu_control_status){};
	instance->has_served = false;
}

void vgpu_lifecycle_begin(struct vgpu_instance *instance)
{
	struct vgpu_gpu *gpu = instance->gpu;
	struct vgpu_err err = {};
	int r = 0;

	if (instance->phase != VGPU_PHASE_DEFINED || !instance->is_placed)
		return;
	if (!gpu->memory) {
		gpu->ops->begin(instance);
		return;
	}
	if (!vgpu_types_find(instance->manager->catalogue.types,
			     instance->definition.type.name)) {
		instance->lacks_type = true;
		vgpu_lifecycle_fail(
			instance,
			"its type %s is no longer in %s: put it back there, or destroy the vGPU",
			instance->definition.type.name,
			instance->manager->catalogue.file);
		return;
	}
	if (vgpu_transport_check(instance->manager, &instance->definition,
				 !instance->has_host_device, &err) < 0) {
		if (instance->creator.ops)
			instance->create_err = err;
		vgpu_lifecycle_fail(instance, "%s", err.text);
		return;
	}
	make_fresh(instance);
	/* An earlier process may have given some of its pages back. */
	instance->is_framebuffer_new = !instance->has_memory;
	if (!instance->has_memory)
		r = gpu->memory->take(gpu, instance->definition.place.size,
				      &instance->fds);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		vgpu_lifecycle_fail(instance, "its framebuffer cannot be had: %s",
				    strerror(-r));
		return;
	}
	instance->has_memory = true;
	start_device(instance);
}

/* Take over by the listening socket a device that is not in the deposit. */
static int adopt_by_socket(struct vgpu_instance *instance, struct vgpu_err *err)
{
	const struct vgpu_paths *paths = &instance->manager->paths;
	const char *uuid = instance->definition.uuid;
	char control[VGPU_SOCKET_PATH_SIZE], pid_path[VGPU_SOCKET_PATH_SIZE];
	uint8_t key[VGPU_CONTROL_KEY_BYTES];
	int r;

	vgpu_paths_instance(paths, uuid, "control.sock", control);
	vgpu_paths_instance(paths, uuid, "device.pid", pid_path);
	r = vgpu_key_read(paths, uuid, key);
	return vgpu_device_adopt(instance->manager->event, &device_ops,
				 instance, control, r == 0 ? key : NULL,
				 pid_path, &instance->device, err);
}

static void hold_memory(struct vgpu_instance *instance)
{
	instance->gpu->memory->adopt(instance->gpu,
				     instance->definition.place.size);
	instance->has_memory = true;
}

int vgpu_lifecycle_adopt(struct vgpu_instance *instance)
{
	struct vgpu_err err = {};
	int r;

	vgpu_fd_store_recover(&instance->fds);
	r = vgpu_device_adopt_kept(instance->manager->event, &device_ops,
				   instance, &instance->fds, &instance->device,
				   &err);
	if (r == -ENOENT)
		r = adopt_by_socket(instance, &err);
	if (r < 0) {
		if (r != -ENOENT)
			vgpu_instance_log(instance, "%s", err.text);
		return r;
	}
	if (instance->phase == VGPU_PHASE_STOPPING)
		return 0; /* only to be ended */
	vgpu_share_adopt(instance);
	hold_memory(instance);
	instance->is_wanted = true;
	open_sockets(instance);
	return vgpu_instance_set_phase(instance, VGPU_PHASE_ADOPTING);
}

void vgpu_lifecycle_fail(struct vgpu_instance *instance, const char *fmt, ...)
{
	bool was_adopting = instance->phase == VGPU_PHASE_ADOPTING;
	char text[VGPU_ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vgpu_text_make_printable(text);

	if (instance->creator.ops) {
		/* Answer its creator, and undo everything. */
		if (!instance->create_err.status)
			vgpu_err_set(&instance->create_err, -EIO, "Internal",
				     "the vGPU cannot be %s: %s",
				     instance->is_kept ? "started" : "made",
				     text);
		vgpu_lifecycle_stop(instance);
		return;
	}
	assert(!instance->device);
	if (vgpu_instance_set_phase(instance, VGPU_PHASE_FAILED) < 0)
		return;
	VGPU_TEXT_SET(instance->failure, text);
	vgpu_vnc_finish(instance);
	retire_device(instance);
	make_fresh(instance);
	vgpu_scheduler_divide(instance->manager, instance->gpu);
	vgpu_instance_event(instance, "failed", "%s", text);
	if (was_adopting)
		instance->manager->hooks->adopted(instance->manager);
	instance->manager->hooks->changed(instance->manager);
}

static void destroy_is_slow(struct vgpu_instance *instance)
{
	struct vgpu_err err = {};

	vgpu_err_set(
		&err, -ETIMEDOUT, "TryAgain",
		"the device process %d does not end: the vGPU is %s when it does",
		vgpu_device_pid(instance->device),
		instance->is_kept ? "stopped" : "destroyed");
	vgpu_caller_fail(&instance->ender, &err);
	vgpu_caller_fail(&instance->creator, instance->create_err.status
						     ? &instance->create_err
						     : &err);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	destroy_is_slow(userdata);
	return 0;
}

/* No process runs any more. */
static void forget_instance(struct vgpu_instance *instance)
{
	struct vgpu_manager *manager = instance->manager;
	const char *uuid = instance->definition.uuid;
	struct vgpu_err err = {};

	/* Whoever is killed here leaves a definition by which it is found. */
	vgpu_transport_remove(instance);
	if (vgpu_store_remove(&manager->paths, uuid, &err) < 0) {
		vgpu_caller_fail(&instance->ender, &err);
		vgpu_caller_fail(&instance->creator, &instance->create_err);
		vgpu_lifecycle_fail(instance, "%s", err.text);
		return;
	}
	vgpu_paths_remove_instance(&manager->paths, uuid);
	if (instance->creator.ops)
		vgpu_instance_log(instance, "creation failed: %s",
				  instance->create_err.text);
	else
		vgpu_instance_event_by(
			instance, vgpu_caller_uid(&instance->ender),
			"destroyed", "the vGPU of type %s is no more",
			instance->definition.type.name);
	vgpu_caller_fail(&instance->creator, &instance->create_err);
	vgpu_caller_succeed(&instance->ender, NULL);
	vgpu_instance_destroy(instance);
	vgpu_access_open_manager(manager);
	manager->hooks->changed(manager);
}

void vgpu_lifecycle_rest(struct vgpu_instance *instance)
{
	struct vgpu_manager *manager = instance->manager;
	struct vgpu_definition *d = &instance->definition;
	struct vgpu_err err = {};

	if (vgpu_instance_set_phase(instance, VGPU_PHASE_STOPPED) < 0)
		return;
	instance->timer = sd_event_source_disable_unref(instance->timer);
	if (instance->has_memory)
		instance->gpu->memory->give(instance->gpu, d->place.size,
					    &instance->fds);
	instance->has_memory = false;
	vgpu_transport_remove(instance);
	vgpu_fd_store_finish(&instance->fds);
	vgpu_paths_remove_instance(&manager->paths, d->uuid);
	instance->status = (struct vgpu_control_status){};
	instance->has_served = false;
	instance->serving_since = 0;
	instance->quick_ends = 0;
	instance->restarts = 0;
	instance->address[0] = '\0';
	instance->is_wanted = false;
	instance->is_placed = false;
	d->is_stopped = true;
	/* What is started again is vgpud's own. */
	d->is_transient = false;
	/* If this fails the next vgpud finds that it is stopped. */
	if (vgpu_store_save(&manager->paths, d, &err) < 0)
		vgpu_instance_log(instance, "%s", err.text);
}

/* No process runs any more: keep its definition, stopped. */
static void keep_stopped(struct vgpu_instance *instance)
{
	vgpu_lifecycle_rest(instance);
	if (instance->create_err.status)
		vgpu_instance_event_by(instance,
				       vgpu_caller_uid(&instance->creator),
				       "stopped", "it could not start: %s",
				       instance->create_err.text);
	else
		vgpu_instance_event_by(
			instance, vgpu_caller_uid(&instance->ender), "stopped",
			"%s",
			instance->ender.ops ? "it holds nothing, and stays defined"
					    : "it does not start by itself");
	vgpu_caller_fail(&instance->creator, &instance->create_err);
	vgpu_caller_succeed(&instance->ender, NULL);
	instance->create_err = (struct vgpu_err){};
	instance->manager->hooks->changed(instance->manager);
}

/* Its device runs no more. */
static void finish_stop(struct vgpu_instance *instance)
{
	vgpu_share_end(instance,
		       instance->is_kept ? keep_stopped : forget_instance);
}

void vgpu_lifecycle_stop(struct vgpu_instance *instance)
{
	bool was_adopting = instance->phase == VGPU_PHASE_ADOPTING;
	struct vgpu_manager *manager = instance->manager;

	if (vgpu_instance_set_phase(instance, VGPU_PHASE_STOPPING) < 0)
		return;
	vgpu_scheduler_divide(manager, instance->gpu);
	vgpu_vnc_finish(instance);
	instance->timer = sd_event_source_disable_unref(instance->timer);
	/* A failed one may have a process that was never taken over. */
	if (!instance->device && vgpu_lifecycle_adopt(instance) < 0) {
		finish_stop(instance);
	} else {
		vgpu_device_stop(instance->device);
		if (sd_event_add_time_relative(manager->event, &instance->timer,
					       CLOCK_MONOTONIC, 8 * USEC_PER_S,
					       0, on_stop_timeout, instance) < 0)
			destroy_is_slow(instance);
	}
	if (was_adopting)
		manager->hooks->adopted(manager);
}

/* Whether the store has what a successor needs, and all of its framebuffer. */
static bool is_whole(const struct vgpu_instance *instance)
{
	const struct vgpu_transport_ops *transport = vgpu_transport_of(instance);
	const struct vgpu_fd_store *fds = &instance->fds;

	if (vgpu_fd_store_get(fds, VGPU_SLOT_STATE) < 0 ||
	    vgpu_fd_store_get(fds, transport ? transport->slot
					     : VGPU_SLOT_LISTEN) < 0 ||
	    (!fds->deposit && vgpu_fd_store_get(fds, VGPU_SLOT_CONTROL) < 0))
		return false;
	return instance->gpu->memory->is_whole(
		instance->gpu, instance->definition.place.size, &instance->fds);
}

int vgpu_lifecycle_resume(struct vgpu_instance *instance)
{
	vgpu_device_forget_kept(&instance->fds);
	if (!is_whole(instance)) {
		vgpu_fd_store_finish(&instance->fds);
		return -ENOENT;
	}
	hold_memory(instance);
	instance->is_wanted = true;
	instance->has_served = true;
	instance->restarts++;
	vgpu_instance_event(instance, "restarted",
			    "no device process runs, and all that it had is kept");
	start_device(instance);
	return 0;
}

/* The device ended or did not answer while being taken over. */
static void lose_adopted(struct vgpu_instance *instance, const char *reason)
{
	struct vgpu_gpu *gpu = instance->gpu;
	struct vgpu_manager *manager = instance->manager;

	vgpu_instance_event(instance, "restarted",
			    "%s while it was being taken over", reason);
	instance->restarts++;
	if (is_whole(instance)) {
		instance->has_served = true;
		start_device(instance);
	} else {
		gpu->memory->give(gpu, instance->definition.place.size,
				  &instance->fds);
		instance->has_memory = false;
		vgpu_fd_store_finish(&instance->fds);
		if (vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED) == 0)
			vgpu_lifecycle_begin(instance);
	}
	manager->hooks->adopted(manager);
}

static void lose_device(struct vgpu_instance *instance, const char *reason)
{
	uint64_t now = now_usec(instance);

	vgpu_device_destroy(instance->device);
	instance->device = NULL;
	vgpu_device_forget_kept(&instance->fds);
	if (instance->phase == VGPU_PHASE_STOPPING) {
		retire_device(instance);
		finish_stop(instance);
		return;
	}
	if (instance->phase == VGPU_PHASE_ADOPTING) {
		lose_adopted(instance, reason);
		return;
	}
	if (instance->creator.ops) {
		vgpu_lifecycle_fail(instance, "%s", reason);
		return;
	}

	if (instance->serving_since &&
	    now - instance->serving_since >= QUICK_END_USEC)
		instance->quick_ends = 0;
	instance->serving_since = 0;
	if (++instance->quick_ends >= QUICK_ENDS_MAX) {
		vgpu_lifecycle_fail(
			instance,
			"%d device processes in a row ended within 5 s; the last: %s",
			QUICK_ENDS_MAX, reason);
		return;
	}
	instance->restarts++;
	vgpu_instance_event(instance, "restarted", "%s", reason);
	start_device(instance);
}

/* True if the device may cause one more event now. */
static bool take_event_token(struct vgpu_instance *instance,
			     struct vgpu_event_budget *budget)
{
	uint64_t now = now_usec(instance);
	uint64_t tokens = budget->tokens +
			  (now - budget->usec) * EVENT_TOKENS_PER_S / USEC_PER_S;

	if (tokens > budget->tokens) {
		budget->tokens = (unsigned int)VGPU_MIN(tokens, EVENT_TOKENS_MAX);
		budget->usec = now;
	}
	if (budget->tokens == 0) {
		budget->dropped++;
		return false;
	}
	budget->tokens--;
	return true;
}

static void report_heads(struct vgpu_instance *instance,
			 const struct vgpu_control_status *status)
{
	for (uint32_t i = 0; i < instance->definition.type.heads; i++) {
		const struct vgpu_control_head *last = &instance->status.head[i];
		const struct vgpu_control_head *next = &status->head[i];

		if (last->width == next->width && last->height == next->height)
			continue;
		if (!take_event_token(instance, &instance->budget))
			continue;
		if (next->width == 0 || next->height == 0)
			vgpu_instance_event(instance, "head",
					    "head %u shows nothing", i);
		else
			vgpu_instance_event(instance, "head",
					    "head %u shows %u x %u", i,
					    next->width, next->height);
	}
}

static void report_link(struct vgpu_instance *instance,
			const struct vgpu_control_status *status)
{
	const char *who = instance->definition.is_for_container
				  ? "the program"
				  : "the virtual machine of process";

	if (instance->status.link == status->link ||
	    !take_event_token(instance, &instance->budget))
		return;
	if (status->link == VGPU_LINK_ATTACHED)
		vgpu_instance_event(instance, "attached", "%s %d has it", who,
				    status->peer_pid);
	else
		vgpu_instance_event(instance, "detached", "%s %d let go of it",
				    who, instance->status.peer_pid);
}

/* Send the modes that were set: a new device does not know them. */
static void restore_modes(struct vgpu_instance *instance)
{
	for (uint32_t i = 0; i < instance->definition.type.heads; i++) {
		const struct vgpu_head_setting *h =
			&instance->definition.heads[i];
		struct vgpu_control_msg msg = {
			.type = VGPU_CONTROL_SET_MODE,
			.mode = {.head = i, .width = h->width, .height = h->height},
		};

		if (h->has_mode)
			vgpu_device_request(instance->device, &msg, -1,
					    vgpu_device_ignore_reply, NULL, NULL);
	}
}

void vgpu_lifecycle_answer(struct vgpu_instance *instance)
{
	vgpu_caller_succeed(&instance->creator,
			    instance->is_kept ? NULL : instance->definition.uuid);
}

/* The first status of a process. */
static void begin_serving(struct vgpu_instance *instance,
			  enum vgpu_phase last_phase)
{
	bool is_fresh =
		!instance->has_served && last_phase != VGPU_PHASE_ADOPTING;

	instance->serving_since = now_usec(instance);
	instance->has_served = true;
	instance->machine_vgpus = 0;
	/* One taken over has the share that an earlier vgpud gave it. */
	if (last_phase == VGPU_PHASE_ADOPTING)
		vgpu_share_update(instance);
	vgpu_scheduler_divide(instance->manager, instance->gpu);
	if (is_fresh)
		restore_modes(instance);
	if (instance->creator.ops) {
		instance->timer = sd_event_source_disable_unref(instance->timer);
		if (instance->is_kept)
			vgpu_instance_event_by(
				instance, vgpu_caller_uid(&instance->creator),
				"started", "it was defined before");
		else
			vgpu_instance_event_by(
				instance, vgpu_caller_uid(&instance->creator),
				"created", "a vGPU of type %s",
				instance->definition.type.name);
		vgpu_lifecycle_answer(instance);
	} else if (last_phase == VGPU_PHASE_ADOPTING) {
		vgpu_instance_event(instance, "started",
				    "its device process %d runs on",
				    vgpu_device_pid(instance->device));
	} else if (is_fresh) {
		vgpu_instance_event(instance, "started", "it was defined before");
	}
	vgpu_instance_event(instance, "active", "its device process %d serves",
			    vgpu_device_pid(instance->device));
	vgpu_vnc_on_serving(instance);
}

static void on_status(void *owner, const struct vgpu_control_status *status)
{
	struct vgpu_instance *instance = owner;
	enum vgpu_phase last_phase = instance->phase;
	bool is_attached = status->link == VGPU_LINK_ATTACHED;
	enum vgpu_phase next =
		is_attached ? VGPU_PHASE_ATTACHED : VGPU_PHASE_ACTIVE;

	if (last_phase == VGPU_PHASE_STOPPING)
		return;
	if (last_phase == VGPU_PHASE_ADOPTING)
		vgpu_fd_store_drop_recovered(&instance->fds);
	if (last_phase == VGPU_PHASE_ADOPTING && !is_whole(instance)) {
		vgpu_device_kill(instance->device,
				 "did not hand over what it has and ");
		return;
	}
	if (next != last_phase && vgpu_instance_set_phase(instance, next) < 0)
		return;
	if (last_phase == VGPU_PHASE_STARTING || last_phase == VGPU_PHASE_ADOPTING)
		begin_serving(instance, last_phase);
	report_link(instance, status);
	report_heads(instance, status);
	/* The device also counts those that an earlier vgpud replaced. */
	instance->restarts = VGPU_MAX(instance->restarts, status->generation);
	instance->status = *status;
	instance->status.link =
		is_attached ? VGPU_LINK_ATTACHED : VGPU_LINK_LISTENING;
	if (next != last_phase)
		vgpu_machine_tell(instance->manager);
	if (last_phase == VGPU_PHASE_ADOPTING)
		instance->manager->hooks->adopted(instance->manager);
	else if (next != last_phase)
		instance->manager->hooks->changed(instance->manager);
}

/* Whether the device may send @slot now. */
static bool is_slot_allowed(const struct vgpu_instance *instance, uint32_t slot)
{
	uint64_t segments;

	/* The device may not change slots that the manager fills. */
	if (instance->phase != VGPU_PHASE_ADOPTING)
		return !vgpu_fd_store_is_given(slot);
	segments = instance->gpu->segment_bytes
			   ? instance->definition.place.size /
				     instance->gpu->segment_bytes
			   : 0;
	return slot < VGPU_SLOT_SEGMENT || slot - VGPU_SLOT_SEGMENT < segments;
}

/* Whether the manager sent the fd and still has it. */
static bool is_given(const struct vgpu_instance *instance, uint32_t slot)
{
	return instance->fds.deposit && vgpu_fd_store_is_given(slot) &&
	       vgpu_fd_store_get(&instance->fds, slot) >= 0;
}

static int on_fd(void *owner, uint32_t slot, int fd)
{
	struct vgpu_instance *instance = owner;

	if (instance->phase == VGPU_PHASE_STOPPING) {
		vgpu_close(fd); /* no successor will want it */
		return 0;
	}
	if (instance->phase == VGPU_PHASE_ADOPTING && is_given(instance, slot)) {
		vgpu_closer_close(fd);
		return 0;
	}
	if (!is_slot_allowed(instance, slot)) {
		vgpu_close(fd);
		return -EPROTO;
	}
	if (fd >= 0)
		return vgpu_fd_store_put(&instance->fds, slot, fd);
	vgpu_fd_store_drop(&instance->fds, slot);
	return 0;
}

/*
 * The device exits with its launcher, and its successor gets a new one. A
 * launcher without a pidfd here exits when nobody holds its socket any more.
 */
static void end_launcher(struct vgpu_instance *instance)
{
	if (vgpu_launcher_kill(&instance->fds))
		return;
	vgpu_fd_store_drop(&instance->fds, VGPU_SLOT_LAUNCHER);
	vgpu_device_kill(instance->device, "had no launcher that answers and ");
}

static void on_event(void *owner, const struct vgpu_control_event *event)
{
	struct vgpu_instance *instance = owner;
	static const char *const names[] = {
		[VGPU_EVENT_GUEST_FAULT] = "guest-fault",
		[VGPU_EVENT_RESUMED] = "resumed",
		[VGPU_EVENT_REFUSED] = "refused",
		[VGPU_EVENT_SANDBOX] = "sandbox",
		[VGPU_EVENT_FROZEN] = "frozen",
		[VGPU_EVENT_FORBIDDEN_CALL] = "forbidden-call",
	};
	/* No flood of others hides it. */
	struct vgpu_event_budget *budget = event->kind == VGPU_EVENT_FORBIDDEN_CALL
						   ? &instance->forbidden_budget
						   : &instance->budget;
	uint64_t more = budget->dropped + event->suppressed;
	const char *name =
		event->kind < VGPU_ARRAY_SIZE(names) ? names[event->kind] : NULL;

	if (event->kind == VGPU_EVENT_FROZEN)
		end_launcher(instance);
	if (event->kind == VGPU_EVENT_SANDBOX) {
		VGPU_TEXT_SET(instance->manager->sandbox_problem, event->text);
		vgpu_text_make_printable(instance->manager->sandbox_problem);
	}
	if (!name || !take_event_token(instance, budget))
		return;
	if (more > 0)
		vgpu_instance_event(instance, name,
				    "%s (%llu more events were not reported)",
				    event->text, (unsigned long long)more);
	else
		vgpu_instance_event(instance, name, "%s", event->text);
	budget->dropped = 0;
}

/* Programs are told by their contexts, which are gone; the vGPU goes on. */
static void on_gpu_lost(void *owner, uint32_t n)
{
	struct vgpu_instance *instance = owner;
	struct vgpu_event_budget *budget = &instance->forbidden_budget;

	if (!instance->gpu)
		return;
	if (take_event_token(instance, budget))
		vgpu_instance_event(
			instance, "gpu-lost",
			"the driver of %s lost %u of its contexts; programs that start now get new ones",
			instance->gpu->id, n);
	instance->manager->hooks->gpu_lost(instance->manager, instance->gpu);
}

static void on_ended(void *owner, const char *reason)
{
	lose_device(owner, reason);
}

static const struct vgpu_device_ops device_ops = {
	.fd = on_fd,
	.status = on_status,
	.event = on_event,
	.gpu_lost = on_gpu_lost,
	.ended = on_ended,
};
