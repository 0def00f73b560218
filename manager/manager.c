/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets up the manager: everything that vgpud has. */
#include "manager.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "manager/api/accept.h"
#include "manager/vgpu/access.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/create.h"
#include "manager/device/deposit.h"
#include "manager/gpu/mediated/embedded.h"
#include "manager/gpu/mediated/hardware.h"
#include "manager/gpu/mdev/foreign.h"
#include "manager/gpu/mdev/made.h"
#include "manager/gpu/mdev/transport.h"
#include "manager/gpu/mediated/loss.h"
#include "manager/gpu/nodes.h"
#include "manager/vgpu/instance.h"
#include "lib/util.h"
#include "manager/vgpu/lifecycle.h"
#include "manager/host/log.h"
#include "manager/api/methods.h"
#include "manager/api/subscribers.h"
#include "manager/vgpu/scheduler.h"
#include "manager/gpu/sriov/sriov.h"
#include "manager/vgpu/vnc.h"

/* How long the start of the service may wait for vGPUs that were defined. */
#define READY_TIMEOUT_USEC (60 * 1000000ULL)

/* It serves, or will not without somebody's action. */
static bool is_settled(const struct vgpu_instance *instance)
{
	struct vgpu_gpu *gpu = instance->gpu;

	switch (instance->phase) {
	case VGPU_PHASE_ADOPTING:
	case VGPU_PHASE_STARTING:
		return false;
	case VGPU_PHASE_DEFINED:
		return !instance->is_placed ||
		       (gpu && gpu->memory && gpu->memory->is_short(gpu));
	default:
		return true;
	}
}

static void tell_ready(struct vgpu_manager *manager)
{
	manager->ready_timer =
		sd_event_source_disable_unref(manager->ready_timer);
	if (manager->is_ready)
		return;
	manager->is_ready = true;
	sd_notify(0, "READY=1");
	/*
	 * Not before: what a start reads and looks at may take a busy machine
	 * its time, and systemd has a limit of its own for that.
	 */
	if (sd_event_set_watchdog(manager->event, true) < 0)
		vgpu_log("systemd's watchdog is not told");
}

/*
 * READY=1 is sent when every vGPU is settled: services ordered after this one,
 * as libvirt's for machines that it autostarts, find every vGPU's socket.
 */
static void tell_ready_if_settled(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	if (manager->is_ready || !manager->server)
		return;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (!is_settled(instance))
		return;
	tell_ready(manager);
}

static void on_change(struct vgpu_manager *manager)
{
	struct vgpu_gpu *embedded = &manager->inventory.gpus[0];
	struct vgpu_instance *instance;
	unsigned int n = 0, attached = 0;

	if (!manager->server)
		return;
	tell_ready_if_settled(manager);
	vgpu_mdev_made_tell(manager);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		n++;
		attached += vgpu_instance_is_attached(instance);
	}
	sd_notifyf(0, "STATUS=%u vGPUs, %u of them in use, %llu MiB free", n,
		   attached, vgpu_capacity_free(manager, embedded) / VGPU_MIB);
}

static int on_ready_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_manager *manager = userdata;
	struct vgpu_instance *instance;
	unsigned int n = 0;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	n += !is_settled(instance);
	vgpu_log("after %llu s, %u vGPUs do not serve yet; the service counts as started",
		 READY_TIMEOUT_USEC / 1000000, n);
	tell_ready(manager);
	return 0;
}

static int serve(struct vgpu_manager *manager)
{
	int r;

	r = vgpu_methods_listen(manager);
	if (r < 0) {
		vgpu_log("%s cannot be listened on: %s", manager->paths.socket,
			 strerror(-r));
		sd_event_exit(manager->event, 1);
		return r;
	}
	if (sd_event_add_time_relative(manager->event, &manager->ready_timer,
				       CLOCK_MONOTONIC, READY_TIMEOUT_USEC, 0,
				       on_ready_timeout, manager) < 0)
		tell_ready(manager);
	vgpu_events_add(&manager->events, "manager", NULL, NULL,
			"vgpud " VGPU_VERSION " serves on %s",
			manager->paths.socket);
	on_change(manager);
	return 0;
}

/* Serve only once the state of every vGPU is known. */
static int serve_if_ready(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	if (manager->server || manager->is_ending || !manager->is_loaded)
		return 0;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->phase == VGPU_PHASE_ADOPTING)
		return 0;
	return serve(manager);
}

static void on_adopted(struct vgpu_manager *manager)
{
	serve_if_ready(manager);
}

static void refresh(struct vgpu_manager *manager)
{
	vgpu_sriov_scan(manager);
	vgpu_mdev_scan(manager);
	vgpu_mdev_made_refresh(manager);
	for (size_t i = 0; i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		if (gpu->ops && gpu->ops->refresh)
			gpu->ops->refresh(gpu);
	}
}

static void report_shortage(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	bool is_short = gpu->memory->is_short(gpu);

	if (is_short == gpu->was_short)
		return;
	gpu->was_short = is_short;
	vgpu_events_add(
		&manager->events, "manager", NULL, NULL,
		is_short ? "the machine is short of memory: %s has %llu MiB of framebuffer ready, more is tried every 5 s"
			 : "there is memory again: %s has %llu MiB of framebuffer ready",
		gpu->id, gpu->memory->ready(gpu) / VGPU_MIB);
}

static void on_memory(void *userdata)
{
	struct vgpu_manager *manager = userdata;
	struct vgpu_instance *instance, *next;

	for (instance = TAILQ_FIRST(&manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		vgpu_lifecycle_begin(instance);
	}
	for (size_t i = 0; i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		if (!gpu->memory)
			continue;
		report_shortage(manager, gpu);
		if (gpu->was_short)
			vgpu_create_fail_waiting(manager, gpu);
	}
	tell_ready_if_settled(manager);
}

static void on_event(void *userdata, const struct vgpu_event *event)
{
	struct vgpu_manager *manager = userdata;

	vgpu_subscribers_tell(manager->subscribers, event);
}

static void on_gpu_lost(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	vgpu_gpu_loss_note(manager->gpu_loss, gpu);
}

static const struct vgpu_manager_hooks hooks = {
	.changed = on_change,
	.adopted = on_adopted,
	.refresh = refresh,
	.gpu_lost = on_gpu_lost,
};

static void on_nodes_changed(void *userdata)
{
	struct vgpu_manager *manager = userdata;

	vgpu_gpu_loss_look(manager->gpu_loss);
}

static void watch_nodes(struct vgpu_manager *manager, const char *folder)
{
	int r = 0;

	if (VGPU_WITH_EMBEDDED) /* and with it, vgpu-probe */
		r = vgpu_gpu_nodes_create(manager->event, folder,
					  on_nodes_changed, manager,
					  &manager->gpu_nodes);
	if (r < 0)
		vgpu_log("GPUs that come are found by `systemctl reload vgpud` only: %s cannot be watched: %s",
			 folder, strerror(-r));
}

static int init_gpus(struct vgpu_manager *manager,
		     const struct vgpu_manager_options *options,
		     struct vgpu_err *err)
{
	char problem[VGPU_ERR_TEXT_MAX];
	int r;

	r = vgpu_gpu_loss_create(manager, &manager->gpu_loss);
	/* What comes while it is asked is seen by the next one that asks. */
	if (r >= 0)
		watch_nodes(manager,
			    options->devices ? options->devices : "/dev");
	if (r >= 0)
		r = vgpu_inventory_init(&manager->inventory, problem);
	if (r >= 0)
		r = vgpu_embedded_init(&manager->inventory.gpus[0],
				       manager->event, &manager->config,
				       on_memory, manager);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the embedded GPU cannot be set up: %s",
				    strerror(-r));
	if (problem[0])
		vgpu_events_add(&manager->events, "manager", NULL, NULL,
				"the GPUs could not be found: %s", problem);
	vgpu_scheduler_load(manager);
	vgpu_sriov_scan(manager);
	vgpu_mdev_scan(manager);
	/* Those that make no vGPUs themselves. */
	for (size_t i = 1; i < manager->inventory.count; i++)
		if (vgpu_hardware_can_be(&manager->inventory.gpus[i]))
			vgpu_hardware_init(&manager->inventory.gpus[i]);
	return 0;
}

static void on_deposit_full(void *userdata)
{
	struct vgpu_manager *manager = userdata;

	if (manager->is_deposit_full)
		return;
	manager->is_deposit_full = true;
	vgpu_events_add(
		&manager->events, "manager", NULL, NULL,
		"systemd keeps no more fds (FileDescriptorStoreMax=): a vGPU may be lost when vgpud ends");
}

static int init_all(struct vgpu_manager *manager,
		    const struct vgpu_manager_options *options,
		    struct vgpu_err *err)
{
	int r;

	r = vgpu_config_load(options->config, &manager->config, err);
	if (r < 0)
		return r;
	if (manager->config.embedded_wanted_mib > manager->config.embedded_mib)
		vgpu_events_add(
			&manager->events, "manager", NULL, NULL,
			"framebuffer_mib is %llu, and the machine has %llu MiB of memory: the embedded GPU has no more than that",
			(unsigned long long)manager->config.embedded_wanted_mib,
			(unsigned long long)manager->config.embedded_mib);
	manager->sysfs = open(options->sysfs ? options->sysfs : "/sys",
			      O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (manager->sysfs < 0 && options->sysfs)
		return vgpu_err_set(err, -errno, "Internal",
				    "%s cannot be opened: %s", options->sysfs,
				    strerror(errno));
	r = vgpu_paths_open(&manager->paths, options->state, options->runtime,
			    err);
	if (r < 0)
		return r;
	vgpu_access_init(manager);
	vgpu_cgroups_init(&manager->cgroups, /* sources= */ NULL);
	r = vgpu_deposit_open(on_deposit_full, manager, &manager->deposit);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "what systemd kept cannot be taken over: %s",
				    strerror(-r));
	r = vgpu_catalogue_init(&manager->catalogue, options->types,
				options->config ? options->config
						: VGPU_CONFIG_PATH,
				manager->paths.types, err);
	if (r < 0)
		return r;
	if (manager->catalogue.problem[0])
		vgpu_events_add(&manager->events, "types", NULL, NULL, "%s",
				manager->catalogue.problem);
	return init_gpus(manager, options, err);
}

int vgpu_manager_check(const struct vgpu_manager_options *options,
		       struct vgpu_err *err)
{
	struct vgpu_config config;
	int r = vgpu_config_load(options->config, &config, err);

	if (r < 0)
		return r;
	return vgpu_catalogue_check(
		options->types,
		options->config ? options->config : VGPU_CONFIG_PATH, err);
}

int vgpu_manager_init(struct vgpu_manager *manager, sd_event *event,
		      const struct vgpu_manager_options *options,
		      struct vgpu_err *err)
{
	int r;

	*manager = (struct vgpu_manager){
		.hooks = &hooks,
		.event = sd_event_ref(event),
		.paths = {.state_lock = -1, .runtime_lock = -1},
		.sysfs = -1,
		.transports = {[VGPU_TRANSPORT_MDEV] = &vgpu_mdev_transport},
		.cgroups = {.folder = -1},
	};
	TAILQ_INIT(&manager->instances);
	TAILQ_INIT(&manager->ending_vncs);
	vgpu_events_init(&manager->events, on_event, manager);
	manager->subscribers = vgpu_subscribers_create();
	if (!manager->subscribers)
		r = vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	else
		r = init_all(manager, options, err);
	if (r < 0)
		vgpu_manager_finish(manager);
	return r;
}

int vgpu_manager_start(struct vgpu_manager *manager, struct vgpu_err *err)
{
	int r;

	r = vgpu_load(manager);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the definitions in %s cannot be read: %s",
				    manager->paths.vgpus, strerror(-r));
	manager->is_loaded = true;
	for (size_t i = 0; i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		r = gpu->ops ? gpu->ops->start(gpu) : 0;
		if (r < 0)
			return vgpu_err_set(err, r, "Internal",
					    "no thread for %s: %s", gpu->id,
					    strerror(-r));
	}
	if (manager->config.embedded_mib > 0)
		vgpu_log("%llu MiB of memory become the embedded GPU's framebuffer, with vGPUs or without (framebuffer_mib, see vgpud(8))",
			 (unsigned long long)manager->config.embedded_mib);
	if (manager->cgroups.problem[0])
		vgpu_log("vGPUs are not limited as their types say: %s; `vgpuctl doctor` says what to do",
			 manager->cgroups.problem);
	vgpu_sriov_start(manager);
	vgpu_mdev_made_refresh(manager);
	r = serve_if_ready(manager);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "it cannot serve");
	return 0;
}

void vgpu_manager_finish(struct vgpu_manager *manager)
{
	manager->is_ending = true;
	manager->ready_timer =
		sd_event_source_disable_unref(manager->ready_timer);
	vgpu_accept_stop(manager);
	vgpu_deposit_leave(manager->deposit);
	if (manager->server) {
		sd_varlink_server_shutdown(manager->server);
		manager->server = sd_varlink_server_unref(manager->server);
	}
	while (!TAILQ_EMPTY(&manager->instances))
		vgpu_instance_destroy(TAILQ_FIRST(&manager->instances));
	vgpu_vnc_forget_ending(manager);
	vgpu_deposit_close(manager->deposit);
	manager->deposit = NULL;
	manager->rescan_timer =
		sd_event_source_disable_unref(manager->rescan_timer);
	vgpu_mdev_made_finish(manager);
	vgpu_gpu_nodes_destroy(manager->gpu_nodes);
	manager->gpu_nodes = NULL;
	vgpu_gpu_loss_destroy(manager->gpu_loss);
	manager->gpu_loss = NULL;
	vgpu_subscribers_destroy(manager->subscribers);
	manager->subscribers = NULL;
	vgpu_inventory_finish(&manager->inventory);
	vgpu_catalogue_finish(&manager->catalogue);
	vgpu_cgroups_finish(&manager->cgroups);
	vgpu_paths_finish(&manager->paths);
	manager->sysfs = vgpu_close(manager->sysfs);
	manager->event = sd_event_unref(manager->event);
}

void vgpu_manager_reload(struct vgpu_manager *manager)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)now.tv_sec * 1000000 +
			   (unsigned long long)now.tv_nsec / 1000);
	if (vgpu_catalogue_reload(&manager->catalogue) < 0)
		vgpu_events_add(&manager->events, "types", NULL, NULL, "%s",
				manager->catalogue.problem);
	else
		vgpu_events_add(&manager->events, "types", NULL, NULL,
				"%zu types were read from %s",
				vgpu_types_count(manager->catalogue.types),
				manager->catalogue.file);
	vgpu_load_retry(manager);
	vgpu_sriov_retry(manager);
	if (VGPU_WITH_EMBEDDED)
		vgpu_gpu_loss_look(manager->gpu_loss);
	if (manager->is_ready)
		sd_notify(0, "READY=1");
	on_change(manager);
}
