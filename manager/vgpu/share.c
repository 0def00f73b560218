/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of a vGPU's control group: processor, memory, tasks. */
#include "share.h"

#include <string.h>
#include <time.h>

#include "manager/host/cgroup.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "scheduler.h"

/*
 * Beyond what is counted for the guest: the device, its launcher and its VNC
 * servers themselves, page tables, kernel stacks.
 */
#define OWN_MEMORY_MIB 64
/*
 * Processes and threads. A Vulkan context has some ten threads and one for each
 * processor that its driver uses, and a guest 64 contexts at most.
 */
#define PROCESSES_MAX 2048

#define USEC_PER_MS	1000ULL
#define LOOK_AGAIN_USEC (5 * USEC_PER_MS)
#define KILL_AFTER_USEC (1000 * USEC_PER_MS)
#define GIVE_UP_USEC	(6000 * USEC_PER_MS)

uint64_t vgpu_share_memory_max(const struct vgpu_instance *instance)
{
	const struct vgpu_definition *d = &instance->definition;
	/* Its device exchanges pages of the pool for files of its own. */
	return (d->type.host_memory_mib + OWN_MEMORY_MIB +
		d->type.framebuffer_mib) *
	       VGPU_MIB;
}

static int set_limits(struct vgpu_instance *instance)
{
	const struct vgpu_type *type = &instance->definition.type;
	struct vgpu_cgroup_limits limits = {
		.memory_bytes = vgpu_share_memory_max(instance),
		.processes = PROCESSES_MAX,
	};
	struct vgpu_cpu_share cpu = {.weight = type->weight};

	/* Only a software GPU's time is processor time. */
	if (instance->gpu->is_software)
		vgpu_scheduler_cpu(instance, &cpu);
	limits.cpu_weight = cpu.weight;
	limits.cpu_quota_usec = cpu.quota_usec;
	limits.cpu_period_usec = cpu.period_usec;

	return vgpu_cgroup_limit(&instance->manager->cgroups, instance->group,
				 &limits);
}

static void report_failure(struct vgpu_instance *instance, int r)
{
	vgpu_instance_event(
		instance, "manager",
		"its share of the host is not limited: its cgroup below %s cannot be set up: %s",
		instance->manager->cgroups.path, strerror(-r));
}

/* A software GPU's time is its processes', and a matter of their group. */
static void update_gpu_time(struct vgpu_instance *instance)
{
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_SET_TIME};

	if (!instance->device || instance->gpu->is_software ||
	    !vgpu_instance_is_serving(instance))
		return; /* if it starts later, it starts with that */
	vgpu_scheduler_time(instance, &msg.time);
	vgpu_device_request(instance->device, &msg, -1,
			    vgpu_device_ignore_reply, NULL, NULL);
}

void vgpu_share_update(struct vgpu_instance *instance)
{
	int r;

	update_gpu_time(instance);
	if (instance->group < 0)
		return;
	r = set_limits(instance);
	if (r < 0)
		report_failure(instance, r);
}

void vgpu_share_begin(struct vgpu_instance *instance)
{
	struct vgpu_cgroups *cgroups = &instance->manager->cgroups;
	int r = 0;

	if (!cgroups->controllers)
		return; /* that was said when vgpud started */
	if (instance->group < 0)
		r = vgpu_cgroup_open(cgroups, instance->definition.uuid,
				     &instance->group);
	if (r < 0)
		report_failure(instance, r);
	else
		vgpu_share_update(instance);
}

void vgpu_share_adopt(struct vgpu_instance *instance)
{
	pid_t pid = vgpu_device_pid(instance->device);
	int r;

	vgpu_share_begin(instance);
	/* The pid of one that died with the previous vgpud is not known. */
	if (instance->group < 0 || pid <= 0)
		return;
	r = vgpu_cgroup_adopt(instance->group, pid);
	if (r < 0)
		vgpu_instance_event(
			instance, "manager",
			"its share of the host is not limited: its device process %d cannot be moved to its cgroup: %s",
			pid, strerror(-r));
}

static void look_at_end(struct vgpu_instance *instance);

static int on_look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	look_at_end(userdata);
	return 0;
}

static void look_at_end(struct vgpu_instance *instance)
{
	struct vgpu_manager *manager = instance->manager;
	uint64_t now = 0;
	int r;

	instance->group_timer =
		sd_event_source_disable_unref(instance->group_timer);
	r = vgpu_cgroup_remove(&manager->cgroups, instance->definition.uuid);
	sd_event_now(manager->event, CLOCK_MONOTONIC, &now);
	if (r == -EBUSY && now - instance->group_end < GIVE_UP_USEC) {
		if (now - instance->group_end >= KILL_AFTER_USEC)
			vgpu_cgroup_kill(instance->group);
		if (sd_event_add_time_relative(manager->event,
					       &instance->group_timer,
					       CLOCK_MONOTONIC, LOOK_AGAIN_USEC,
					       0, on_look_again, instance) >= 0)
			return;
	}
	/* The next vgpud removes it. */
	if (r < 0)
		vgpu_instance_log(instance, "its cgroup cannot be removed: %s",
				  strerror(-r));
	vgpu_share_finish(instance);
	instance->group_done(instance);
}

void vgpu_share_end(struct vgpu_instance *instance,
		    void (*done)(struct vgpu_instance *instance))
{
	struct vgpu_cgroups *cgroups = &instance->manager->cgroups;

	/*
	 * A vGPU that was not started by this vgpud may have a group from
	 * before.
	 */
	if (instance->group < 0 && cgroups->controllers)
		vgpu_cgroup_open(cgroups, instance->definition.uuid,
				 &instance->group);
	if (instance->group < 0) {
		done(instance);
		return;
	}
	instance->group_done = done;
	sd_event_now(instance->manager->event, CLOCK_MONOTONIC,
		     &instance->group_end);
	look_at_end(instance);
}

void vgpu_share_finish(struct vgpu_instance *instance)
{
	instance->group_timer =
		sd_event_source_disable_unref(instance->group_timer);
	instance->group = vgpu_close(instance->group);
}
