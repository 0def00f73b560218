/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON descriptions of GPUs, types and vGPUs. */
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/heads.h"
#include "manager/host/json.h"
#include "manager/host/sysfs.h"
#include "lib/util.h"
#include "methods.h"
#include "manager/vgpu/scheduler.h"
#include "manager/vgpu/share.h"
#include "manager/vgpu/transport.h"
#include "manager/vgpu/vnc.h"

int vgpu_show_gpu(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		  sd_json_variant **ret_json)
{
	const struct vgpu_framebuffer *fb = &gpu->framebuffer;
	uint64_t free_bytes = vgpu_capacity_free(manager, gpu);
	/* Without device processes no memory has to be populated. */
	uint64_t ready = gpu->memory ? gpu->memory->ready(gpu) : free_bytes;
	uint64_t node;
	int r;

	r = sd_json_buildo(
		ret_json, SD_JSON_BUILD_PAIR_STRING("gpu", gpu->id),
		SD_JSON_BUILD_PAIR_STRING("name", gpu->name),
		SD_JSON_BUILD_PAIR_STRING("driver", gpu->driver),
		SD_JSON_BUILD_PAIR_STRING("provider", gpu->ops ? gpu->ops->name
							       : "mediated"),
		SD_JSON_BUILD_PAIR_STRING("deviceUuid", gpu->device_uuid),
		SD_JSON_BUILD_PAIR_CONDITION(
			gpu->pci_address[0], "pciAddress",
			SD_JSON_BUILD_STRING(gpu->pci_address)),
		SD_JSON_BUILD_PAIR_CONDITION(gpu->unusable[0], "unusable",
					     SD_JSON_BUILD_STRING(gpu->unusable)),
		SD_JSON_BUILD_PAIR_BOOLEAN("software", gpu->is_software),
		SD_JSON_BUILD_PAIR_CONDITION(
			gpu->memory_import[0], "memoryImport",
			SD_JSON_BUILD_STRING(gpu->memory_import)),
		SD_JSON_BUILD_PAIR_UNSIGNED("memoryMib", gpu->memory_mib),
		SD_JSON_BUILD_PAIR_UNSIGNED("framebufferMib",
					    (fb->size - fb->host_reserve) /
						    VGPU_MIB),
		SD_JSON_BUILD_PAIR_UNSIGNED("freeMib", free_bytes / VGPU_MIB),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"readyMib", VGPU_MIN(ready, free_bytes) / VGPU_MIB),
		SD_JSON_BUILD_PAIR_UNSIGNED("vgpus",
					    vgpu_capacity_vgpus(manager, gpu)));
	if (r >= 0 && gpu->memory)
		r = sd_json_variant_merge_objectbo(
			ret_json,
			SD_JSON_BUILD_PAIR_STRING(
				"scheduler",
				vgpu_scheduler_name(gpu->scheduling.scheduler)),
			SD_JSON_BUILD_PAIR_UNSIGNED(
				"timeSliceMs", gpu->scheduling.time_slice_ms));
	/* -1, where it is none, is no such number. */
	if (r >= 0 && gpu->pci_address[0] &&
	    vgpu_sysfs_read_number(manager->sysfs, &node,
				   "bus/pci/devices/%s/numa_node",
				   gpu->pci_address) == 0)
		r = sd_json_variant_merge_objectbo(
			ret_json, SD_JSON_BUILD_PAIR_UNSIGNED("numaNode", node));
	if (r >= 0 && gpu->ops && gpu->ops->show_gpu)
		r = gpu->ops->show_gpu(gpu, ret_json);
	return r;
}

#define BUILD_FIELD(member, json, stored, min, max, fallback, about)             \
	SD_JSON_BUILD_PAIR_CONDITION((fallback) == 0 || type->member > 0, #json, \
				     SD_JSON_BUILD_UNSIGNED(type->member))

int vgpu_show_type(struct vgpu_manager *manager, const struct vgpu_type *type,
		   struct vgpu_gpu *gpu, sd_json_variant **ret_json)
{
	char series[2] = {type->series, '\0'};

	return sd_json_buildo(
		ret_json, SD_JSON_BUILD_PAIR_STRING("type", type->name),
		SD_JSON_BUILD_PAIR_STRING("series", series),
		SD_JSON_BUILD_PAIR_STRING("gpu", gpu->id),
		VGPU_TYPE_FIELDS(BUILD_FIELD),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"available", vgpu_capacity_count(manager, gpu, type)),
		SD_JSON_BUILD_PAIR_CONDITION(type->id > 0, "typeId",
					     SD_JSON_BUILD_UNSIGNED(type->id)),
		SD_JSON_BUILD_PAIR_CONDITION(
			type->max_instances > 0, "maxInstances",
			SD_JSON_BUILD_UNSIGNED(type->max_instances)));
}

static int show_heads(const struct vgpu_instance *instance,
		      sd_json_variant **ret_json)
{
	vgpu_autojson sd_json_variant *heads = NULL;
	int r;

	r = sd_json_variant_new_array(&heads, NULL, 0);
	/* Heads of a vGPU without a device process are not known here. */
	for (uint32_t i = 0; r >= 0 && i < instance->definition.type.heads &&
			     instance->definition.vf.number == 0;
	     i++) {
		const struct vgpu_control_head *h = &instance->status.head[i];
		const struct vgpu_vnc_setting *vnc =
			&instance->definition.heads[i].vnc;
		uint32_t width = h->preferred_width;
		uint32_t height = h->preferred_height;

		/* A device says what was set a moment later. */
		if (!instance->has_served ||
		    instance->definition.heads[i].has_mode)
			vgpu_heads_first_mode(&instance->definition, i, &width,
					      &height);
		r = sd_json_variant_append_arraybo(
			&heads, SD_JSON_BUILD_PAIR_UNSIGNED("head", i),
			SD_JSON_BUILD_PAIR_UNSIGNED("width", h->width),
			SD_JSON_BUILD_PAIR_UNSIGNED("height", h->height),
			SD_JSON_BUILD_PAIR_UNSIGNED("preferredWidth", width),
			SD_JSON_BUILD_PAIR_UNSIGNED("preferredHeight", height),
			SD_JSON_BUILD_PAIR_CONDITION(
				vnc->address[0], "vnc",
				SD_JSON_BUILD_STRING(vnc->address)),
			SD_JSON_BUILD_PAIR_CONDITION(
				vnc->address[0], "vncClients",
				SD_JSON_BUILD_UNSIGNED(
					vgpu_vnc_clients(instance, i))),
			SD_JSON_BUILD_PAIR_CONDITION(
				vnc->address[0], "vncInput",
				SD_JSON_BUILD_BOOLEAN(vnc->has_input)),
			SD_JSON_BUILD_PAIR_CONDITION(
				vnc->address[0], "vncPassword",
				SD_JSON_BUILD_BOOLEAN(vnc->password[0])));
	}
	if (r < 0)
		return r;
	*ret_json = vgpu_steal(&heads);
	return 0;
}

/* A device may send any count; varlink integers have 63 bits. */
static uint64_t within(uint64_t count)
{
	return VGPU_MIN(count, (uint64_t)INT64_MAX);
}

static int append_count(sd_json_variant **array, const char *what, uint64_t count)
{
	return sd_json_variant_append_arraybo(
		array, SD_JSON_BUILD_PAIR_STRING("what", what),
		SD_JSON_BUILD_PAIR_UNSIGNED("count", within(count)));
}

/* What its device process has counted. */
static int show_figures(const struct vgpu_instance *instance,
			sd_json_variant **json)
{
	const struct vgpu_figures *figures =
		vgpu_device_figures(instance->device);
	vgpu_autojson sd_json_variant *losses = NULL;
	vgpu_autojson sd_json_variant *refusals = NULL;
	vgpu_autojson sd_json_variant *intervals = NULL;
	int r = 0;

	if (!figures)
		return 0;
	for (unsigned int i = 0; r >= 0 && i < VGPU_LOSS_MAX; i++)
		r = append_count(&losses, vgpu_loss_name(i), figures->losses[i]);
	for (unsigned int i = 0; r >= 0 && i < VGPU_REFUSAL_MAX; i++)
		r = append_count(&refusals, vgpu_refusal_name(i),
				 figures->refusals[i]);
	for (unsigned int i = 0; r >= 0 && i < VGPU_FRAME_INTERVALS; i++)
		r = sd_json_variant_append_arraybo(
			&intervals,
			SD_JSON_BUILD_PAIR_UNSIGNED(
				"upToUsec", vgpu_figures_interval_usec(i)),
			SD_JSON_BUILD_PAIR_UNSIGNED(
				"frames", within(figures->intervals[i])));
	if (r < 0)
		return r;
	return sd_json_variant_merge_objectbo(
		json, SD_JSON_BUILD_PAIR_UNSIGNED("contexts", figures->contexts),
		SD_JSON_BUILD_PAIR_UNSIGNED("submits", within(figures->submits)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"framesPerSecond",
			vgpu_device_frame_rate(instance->device)),
		SD_JSON_BUILD_PAIR_VARIANT("contextsLost", losses),
		SD_JSON_BUILD_PAIR_VARIANT("refusals", refusals),
		SD_JSON_BUILD_PAIR_VARIANT("frameIntervals", intervals),
		SD_JSON_BUILD_PAIR_UNSIGNED("frameIntervalsUsec",
					    within(figures->intervals_usec)),
		SD_JSON_BUILD_PAIR_CONDITION(
			!instance->gpu->is_software, "graphicsNs",
			SD_JSON_BUILD_UNSIGNED(within(figures->gpu_ns))));
}

/* Limits and use of the GPU's time and of the host. */
static int show_share(struct vgpu_instance *instance, sd_json_variant **json)
{
	struct vgpu_manager *manager = instance->manager;
	const struct vgpu_type *type = &instance->definition.type;
	struct vgpu_cgroup_usage usage;
	int r;

	r = sd_json_variant_merge_objectbo(
		json, SD_JSON_BUILD_PAIR_UNSIGNED("weight", type->weight),
		SD_JSON_BUILD_PAIR_UNSIGNED("frameRateLimit",
					    type->frame_rate_limit));
	if (r < 0 || instance->phase == VGPU_PHASE_STOPPED)
		return r;
	r = sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_UNSIGNED("frames",
					    within(instance->status.frames)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"queueDepth", within(instance->status.queue_depth)),
		SD_JSON_BUILD_PAIR_UNSIGNED("grantedPpm",
					    vgpu_scheduler_granted(instance)));
	if (r < 0 || instance->group < 0 ||
	    vgpu_cgroup_read(&manager->cgroups, instance->group, &usage) < 0)
		return r;
	return sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(
			!!(manager->cgroups.controllers & VGPU_CGROUP_CPU),
			"cpuUsec", SD_JSON_BUILD_UNSIGNED(within(usage.cpu_usec))),
		SD_JSON_BUILD_PAIR_CONDITION(
			!!(manager->cgroups.controllers & VGPU_CGROUP_MEMORY),
			"memoryBytes",
			SD_JSON_BUILD_UNSIGNED(within(usage.memory_bytes))),
		SD_JSON_BUILD_PAIR_CONDITION(
			!!(manager->cgroups.controllers & VGPU_CGROUP_MEMORY),
			"memoryMaxBytes",
			SD_JSON_BUILD_UNSIGNED(vgpu_share_memory_max(instance))),
		SD_JSON_BUILD_PAIR_CONDITION(
			!!(manager->cgroups.controllers & VGPU_CGROUP_PIDS),
			"threads", SD_JSON_BUILD_UNSIGNED(usage.processes)));
}

/* How virtual machines reach it. */
static int show_transport(const struct vgpu_instance *instance,
			  sd_json_variant **json)
{
	const struct vgpu_transport_ops *ops = vgpu_transport_of(instance);
	const struct vgpu_definition *d = &instance->definition;
	const char *name = vgpu_definition_socket(d);
	bool is_serving = vgpu_instance_is_serving(instance);
	char socket[VGPU_SOCKET_PATH_SIZE] = "", path[VGPU_SYSFS_PATH_MAX] = "";
	bool has_transport = d->vf.number == 0 && !d->is_for_container &&
			     !instance->is_damaged;

	if (is_serving && name)
		vgpu_paths_instance(&instance->manager->paths, d->uuid, name,
				    socket);
	if (is_serving && ops)
		ops->path(instance, path, sizeof(path));
	return sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(
			has_transport, "transport",
			SD_JSON_BUILD_STRING(vgpu_transport_name(d->transport))),
		SD_JSON_BUILD_PAIR_CONDITION(socket[0], "socket",
					     SD_JSON_BUILD_STRING(socket)),
		SD_JSON_BUILD_PAIR_CONDITION(path[0], "sysfsPath",
					     SD_JSON_BUILD_STRING(path)));
}

int vgpu_show_instance(struct vgpu_instance *instance, sd_json_variant **ret_json)
{
	const struct vgpu_definition *d = &instance->definition;
	const struct vgpu_control_status *status = &instance->status;
	bool is_attached = vgpu_instance_is_attached(instance);
	vgpu_autojson sd_json_variant *heads = NULL;
	pid_t pid = vgpu_device_pid(instance->device);
	int r;

	r = show_heads(instance, &heads);
	if (r < 0)
		return r;
	r = sd_json_buildo(
		ret_json, SD_JSON_BUILD_PAIR_STRING("uuid", d->uuid),
		SD_JSON_BUILD_PAIR_CONDITION(d->name[0], "name",
					     SD_JSON_BUILD_STRING(d->name)),
		SD_JSON_BUILD_PAIR_STRING("type", d->type.name),
		SD_JSON_BUILD_PAIR_STRING("gpu", d->gpu),
		SD_JSON_BUILD_PAIR_STRING(
			"provider",
			instance->gpu && instance->gpu->ops
				? instance->gpu->ops->name
				: (d->vf.number ? "sriov" : "mediated")),
		SD_JSON_BUILD_PAIR_STRING("state", vgpu_instance_state(instance)),
		SD_JSON_BUILD_PAIR_CONDITION(d->is_for_container, "container",
					     SD_JSON_BUILD_BOOLEAN(true)),
		SD_JSON_BUILD_PAIR_CONDITION(!instance->is_foreign, "autostart",
					     SD_JSON_BUILD_BOOLEAN(!d->is_manual)),
		SD_JSON_BUILD_PAIR_CONDITION(
			instance->failure[0], "failure",
			SD_JSON_BUILD_STRING(instance->failure)),
		SD_JSON_BUILD_PAIR_UNSIGNED("framebufferMib",
					    d->type.framebuffer_mib),
		SD_JSON_BUILD_PAIR_CONDITION(
			!d->is_stopped, "framebufferOffsetMib",
			SD_JSON_BUILD_UNSIGNED(within(d->place.offset) / VGPU_MIB)),
		SD_JSON_BUILD_PAIR_CONDITION(
			d->type.host_memory_mib > 0, "hostMemoryMib",
			SD_JSON_BUILD_UNSIGNED(d->type.host_memory_mib)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"usedBytes", VGPU_MIN(status->framebuffer_used_bytes,
					      d->type.framebuffer_mib * VGPU_MIB)),
		SD_JSON_BUILD_PAIR_CONDITION(pid > 0, "devicePid",
					     SD_JSON_BUILD_INTEGER(pid)),
		SD_JSON_BUILD_PAIR_CONDITION(
			is_attached && status->peer_pid > 0,
			d->is_for_container ? "clientPid" : "vmPid",
			SD_JSON_BUILD_INTEGER(status->peer_pid)),
		SD_JSON_BUILD_PAIR_UNSIGNED("ownerUid", d->owner.uid),
		SD_JSON_BUILD_PAIR_UNSIGNED("ownerGid", d->owner.gid),
		SD_JSON_BUILD_PAIR_UNSIGNED("restarts", instance->restarts),
		SD_JSON_BUILD_PAIR_UNSIGNED("commands", within(status->commands)),
		SD_JSON_BUILD_PAIR_UNSIGNED("errors", within(status->errors)),
		SD_JSON_BUILD_PAIR_VARIANT("heads", heads));
	if (r >= 0)
		r = show_transport(instance, ret_json);
	if (r >= 0 && instance->gpu && instance->gpu->memory)
		r = show_share(instance, ret_json);
	if (r >= 0)
		r = show_figures(instance, ret_json);
	if (r >= 0 && instance->gpu && instance->gpu->ops &&
	    instance->gpu->ops->show)
		r = instance->gpu->ops->show(instance, ret_json);
	return r;
}
