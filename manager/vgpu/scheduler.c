/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the time of a GPU with device processes is shared between its vGPUs. */
#include "scheduler.h"

#include <stdarg.h>
#include <string.h>

#include "manager/host/file.h"
#include "manager/host/json.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "share.h"

#define FILE_MAX (64 * 1024)

/* What is kept: {"embedded":{"scheduler":"fixed-share","timeSliceMs":5}} */
static char *path_of(const struct vgpu_manager *manager)
{
	char *path;

	return asprintf(&path, "%s/schedulers.json", manager->paths.state) < 0
		       ? NULL
		       : path;
}

static bool read_one(sd_json_variant *json, struct vgpu_scheduling *ret)
{
	sd_json_variant *name = sd_json_variant_by_key(json, "scheduler");
	sd_json_variant *slice = sd_json_variant_by_key(json, "timeSliceMs");
	struct vgpu_scheduling scheduling;

	if (!sd_json_variant_is_string(name) ||
	    !vgpu_scheduler_parse(sd_json_variant_string(name),
				  &scheduling.scheduler) ||
	    !sd_json_variant_is_unsigned(slice) ||
	    sd_json_variant_unsigned(slice) < 1 ||
	    sd_json_variant_unsigned(slice) > VGPU_TIME_SLICE_MS_MAX)
		return false;
	scheduling.time_slice_ms = (uint32_t)sd_json_variant_unsigned(slice);
	*ret = scheduling;
	return true;
}

void vgpu_scheduler_load(struct vgpu_manager *manager)
{
	vgpu_autojson sd_json_variant *json = NULL;
	vgpu_autofree char *path = path_of(manager);
	vgpu_autofree char *text = NULL;
	size_t length;
	int r = path ? vgpu_file_read(path, FILE_MAX, &text, &length) : -ENOMEM;

	for (size_t i = 0; i < manager->inventory.count; i++)
		manager->inventory.gpus[i].scheduling =
			manager->config.scheduling;
	if (r == -ENOENT)
		return;
	if (r >= 0)
		r = sd_json_parse(text, 0, &json, NULL, NULL);
	for (size_t i = 0; r >= 0 && i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];
		sd_json_variant *own = sd_json_variant_by_key(json, gpu->id);

		if (own && !read_one(own, &gpu->scheduling))
			r = -EBADMSG;
	}
	if (r < 0)
		vgpu_log("%s is not used: %s", path ? path : "",
			 r == -EBADMSG ? "it is damaged" : strerror(-r));
}

static int save_scheduling(struct vgpu_manager *manager,
			   const struct vgpu_gpu *changed,
			   const struct vgpu_scheduling *to)
{
	vgpu_autojson sd_json_variant *json = NULL;
	vgpu_autofree char *path = path_of(manager);
	vgpu_autofree char *text = NULL;
	int r = path ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < manager->inventory.count; i++) {
		const struct vgpu_gpu *gpu = &manager->inventory.gpus[i];
		const struct vgpu_scheduling *s =
			gpu == changed ? to : &gpu->scheduling;

		if (!gpu->memory)
			continue; /* its driver's */
		r = sd_json_variant_merge_objectbo(
			&json,
			SD_JSON_BUILD_PAIR_OBJECT(
				gpu->id,
				SD_JSON_BUILD_PAIR_STRING(
					"scheduler",
					vgpu_scheduler_name(s->scheduler)),
				SD_JSON_BUILD_PAIR_UNSIGNED("timeSliceMs",
							    s->time_slice_ms)));
	}
	if (r >= 0)
		r = sd_json_variant_format(
			json, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE,
			&text);
	return r < 0 ? r : vgpu_file_write(path, text, strlen(text));
}

static uint32_t fixed_share(struct vgpu_manager *manager,
			    const struct vgpu_gpu *gpu,
			    const struct vgpu_definition *d)
{
	const struct vgpu_framebuffer *fb = &gpu->framebuffer;
	/* The current type, or the vGPU's copy if the type is gone. */
	const struct vgpu_type *type =
		vgpu_types_find(manager->catalogue.types, d->type.name);

	return vgpu_share_fixed(d->place.size, fb->size - fb->host_reserve,
				d->type.weight,
				type ? type->weight : d->type.weight);
}

int vgpu_scheduler_check(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			 const struct vgpu_scheduling *scheduling,
			 const struct vgpu_definition *definition,
			 struct vgpu_err *err)
{
	struct vgpu_instance *instance;
	uint64_t sum = 0;

	if (!gpu->memory || scheduling->scheduler != VGPU_SCHEDULER_FIXED_SHARE)
		return 0;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu && instance->is_placed &&
	    !(definition &&
	      strcmp(instance->definition.uuid, definition->uuid) == 0))
		sum += fixed_share(manager, gpu, &instance->definition);
	if (definition)
		sum += fixed_share(manager, gpu, definition);
	if (sum <= VGPU_SHARE_WHOLE)
		return 0;
	return vgpu_err_set(
		err, -ENOSPC, "NoRoom",
		"the fixed shares of the vGPUs on %s would add up to %llu %%: lower a weight (`vgpuctl modify`), or choose another scheduler",
		gpu->id, (unsigned long long)(sum * 100 / VGPU_SHARE_WHOLE));
}

__attribute__((format(printf, 3, 4))) static void
report_by(struct vgpu_manager *manager, int64_t uid, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vgpu_events_addv(&manager->events, /* owner= */ 0, uid, "manager",
			 /* uuid= */ NULL, /* name= */ NULL, fmt, args);
	va_end(args);
}

int vgpu_scheduler_set(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		       const struct vgpu_scheduling *scheduling, int64_t uid,
		       struct vgpu_err *err)
{
	struct vgpu_scheduling next = *scheduling;
	struct vgpu_instance *instance;
	int r;

	if (next.time_slice_ms == 0)
		next.time_slice_ms = gpu->scheduling.time_slice_ms;
	r = vgpu_scheduler_check(manager, gpu, &next, NULL, err);
	if (r < 0)
		return r;
	r = save_scheduling(manager, gpu, &next);
	if (r < 0)
		return vgpu_err_set(err, r, "CannotSave",
				    "the scheduler cannot be written below %s: %s",
				    manager->paths.state, strerror(-r));
	gpu->scheduling = next;
	report_by(manager, uid,
		  "%s is shared by %s from now on, in slices of %u ms", gpu->id,
		  vgpu_scheduler_name(next.scheduler), next.time_slice_ms);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu)
		vgpu_share_update(instance);
	return 0;
}

void vgpu_scheduler_cpu(const struct vgpu_instance *instance,
			struct vgpu_cpu_share *ret_share)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	vgpu_share_of_cpu(&instance->gpu->scheduling,
			  instance->definition.type.weight,
			  vgpu_scheduler_granted(instance),
			  (uint32_t)VGPU_MAX(processors, 1), ret_share);
}

void vgpu_scheduler_time(const struct vgpu_instance *instance,
			 struct vgpu_control_time *ret_time)
{
	const struct vgpu_scheduling *scheduling = &instance->gpu->scheduling;

	*ret_time = (struct vgpu_control_time){
		.part = vgpu_share_of_gpu(scheduling,
					  vgpu_scheduler_granted(instance)),
		.slice_usec = scheduling->time_slice_ms * 1000,
	};
}

/* Whether the vGPU counts for the division of the GPU. */
static bool is_sharing(const struct vgpu_instance *instance,
		       const struct vgpu_gpu *gpu)
{
	return instance->gpu == gpu && instance->has_served &&
	       instance->phase != VGPU_PHASE_STOPPING;
}

uint32_t vgpu_scheduler_granted(const struct vgpu_instance *instance)
{
	struct vgpu_gpu *gpu = instance->gpu;
	bool by_weight = gpu->scheduling.scheduler == VGPU_SCHEDULER_BEST_EFFORT;
	const struct vgpu_definition *d = &instance->definition;
	uint64_t own = by_weight ? d->type.weight : 1;
	struct vgpu_instance *other;
	uint64_t sum = own;

	if (gpu->scheduling.scheduler == VGPU_SCHEDULER_FIXED_SHARE)
		return fixed_share(instance->manager, gpu, d);
	TAILQ_FOREACH(other, &instance->manager->instances, entry)
	if (other != instance && is_sharing(other, gpu))
		sum += by_weight ? other->definition.type.weight : 1;
	/* A vGPU with a damaged definition has no weight. */
	return sum ? (uint32_t)(own * VGPU_SHARE_WHOLE / sum) : 0;
}

void vgpu_scheduler_divide(struct vgpu_manager *manager,
			   const struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance;

	if (!gpu || gpu->scheduling.scheduler != VGPU_SCHEDULER_EQUAL_SHARE)
		return;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu && is_sharing(instance, gpu))
		vgpu_share_update(instance);
}
