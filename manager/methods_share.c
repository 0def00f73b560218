/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods about shares: schedulers of GPUs, weights of vGPUs. */
#include <string.h>

#include "lib/util.h"
#include "methods.h"
#include "reply.h"
#include "scheduler.h"
#include "share.h"
#include "text.h"

/* A number of 32 bits; what is none is larger than any limit. */
static int dispatch_number(const char *name, sd_json_variant *variant,
			   sd_json_dispatch_flags_t flags, void *userdata)
{
	int64_t *number = userdata;

	if (sd_json_variant_is_null(variant))
		return 0;
	*number = UINT32_MAX;
	if (sd_json_variant_is_unsigned(variant))
		*number = (int64_t)VGPU_MIN(sd_json_variant_unsigned(variant),
					    UINT32_MAX);
	return 0;
}

/* The GPU of that name, or the first that it can be said of. */
static struct vgpu_gpu *find_shared(struct vgpu_manager *manager,
				    const char *id, struct vgpu_err *err)
{
	struct vgpu_inventory *inventory = &manager->inventory;
	struct vgpu_gpu *gpu =
		vgpu_inventory_find(inventory, id ? id : "embedded");
	char quoted[VGPU_QUOTED_SIZE];

	if (!gpu) {
		vgpu_err_set(err, -ENODEV, "NoSuchGpu",
			     "there is no GPU '%s': `vgpuctl gpus` lists them",
			     vgpu_text_quote(quoted, id ? id : "embedded"));
		return NULL;
	}
	if (!gpu->memory) {
		vgpu_err_set(err, -EOPNOTSUPP, "GpuUnusable",
			     gpu->ops ? "the scheduler of %s is its driver's: set it in sysfs, in the folder vgpu/scheduler of the device"
				      : "no vGPU can be made on %s",
			     gpu->id);
		return NULL;
	}
	return gpu;
}

int vgpu_method_set_scheduler(sd_varlink *link, sd_json_variant *parameters,
			      sd_varlink_method_flags_t flags, void *userdata)
{
	struct parameters {
		const char *gpu;
		const char *scheduler;
		int64_t slice;
	} p = {.slice = -1};
	static const sd_json_dispatch_field fields[] = {
		{"gpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct parameters, gpu), SD_JSON_NULLABLE},
		{"scheduler", SD_JSON_VARIANT_STRING,
		 sd_json_dispatch_const_string,
		 offsetof(struct parameters, scheduler), SD_JSON_NULLABLE},
		{"timeSliceMs", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_number,
		 offsetof(struct parameters, slice), SD_JSON_NULLABLE},
		{},
	};
	struct vgpu_manager *manager = userdata;
	struct vgpu_scheduling scheduling;
	char quoted[VGPU_QUOTED_SIZE];
	struct vgpu_err err = {};
	struct vgpu_gpu *gpu;
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, &p);
	if (r != 0)
		return r;
	gpu = find_shared(manager, p.gpu, &err);
	if (!gpu)
		return vgpu_reply_error(link, &err);
	scheduling = gpu->scheduling;
	if (p.scheduler &&
	    !vgpu_scheduler_parse(p.scheduler, &scheduling.scheduler)) {
		vgpu_err_set(
			&err, -EINVAL, "BadShare",
			"there is no scheduler '%s': there are best-effort, equal-share and fixed-share",
			vgpu_text_quote(quoted, p.scheduler));
		return vgpu_reply_error(link, &err);
	}
	if (p.slice == 0 || p.slice > VGPU_TIME_SLICE_MS_MAX) {
		vgpu_err_set(&err, -EINVAL, "BadShare",
			     "a time slice has 1 to %d ms",
			     VGPU_TIME_SLICE_MS_MAX);
		return vgpu_reply_error(link, &err);
	}
	if (p.slice > 0)
		scheduling.time_slice_ms = (uint32_t)p.slice;
	r = vgpu_scheduler_set(manager, gpu, &scheduling, &err);
	return r < 0 ? vgpu_reply_error(link, &err)
		     : sd_varlink_reply(link, NULL);
}

static int modify(struct vgpu_instance *instance, int64_t weight, int64_t rate,
		  struct vgpu_err *err)
{
	struct vgpu_definition next = instance->definition;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_SET_FRAME_RATE};
	struct vgpu_manager *manager = instance->manager;
	int r;

	if (!instance->gpu || !instance->gpu->memory)
		return vgpu_err_set(
			err, -EOPNOTSUPP, "GpuUnusable",
			"the time of its GPU %s is shared by the GPU's driver",
			next.gpu);
	if (instance->create_link || instance->phase == VGPU_PHASE_STOPPING)
		return vgpu_err_set(err, -EBUSY, "TryAgain",
				    "the vGPU is just being %s: try again",
				    instance->create_link ? "made" : "destroyed");
	if (weight == 0 || weight > VGPU_TYPE_WEIGHT_MAX)
		return vgpu_err_set(err, -EINVAL, "BadShare",
				    "a weight is a number from 1 to %d",
				    VGPU_TYPE_WEIGHT_MAX);
	if (rate > VGPU_TYPE_FRAME_RATE_MAX)
		return vgpu_err_set(
			err, -EINVAL, "BadShare",
			"a frame rate limit is a number from 1 to %d, or 0 for none",
			VGPU_TYPE_FRAME_RATE_MAX);
	if (weight > 0)
		next.type.weight = (uint32_t)weight;
	if (rate >= 0)
		next.type.frame_rate_limit = (uint32_t)rate;
	r = vgpu_scheduler_check(manager, instance->gpu,
				 &instance->gpu->scheduling, &next, err);
	if (r == 0)
		r = vgpu_store_save(&manager->paths, &next, err);
	if (r < 0)
		return r;
	instance->definition = next;
	vgpu_share_update(instance);
	/* A device that does not run now is started with it. */
	msg.frame_rate = next.type.frame_rate_limit;
	if (rate >= 0 && vgpu_instance_is_serving(instance))
		vgpu_device_request(instance->device, &msg, -1,
				    vgpu_reply_ignore, NULL, NULL);
	return 0;
}

int vgpu_method_modify(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata)
{
	struct parameters {
		const char *vgpu;
		int64_t weight;
		int64_t rate;
	} p = {.weight = -1, .rate = -1};
	static const sd_json_dispatch_field fields[] = {
		{"vgpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct parameters, vgpu), SD_JSON_MANDATORY},
		{"weight", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_number,
		 offsetof(struct parameters, weight), SD_JSON_NULLABLE},
		{"frameRateLimit", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_number,
		 offsetof(struct parameters, rate), SD_JSON_NULLABLE},
		{},
	};
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, &p);
	if (r != 0)
		return r;
	vgpu_manager_refresh(userdata);
	instance = vgpu_instance_find(userdata, p.vgpu, &err);
	r = instance ? modify(instance, p.weight, p.rate, &err) : -ENOENT;
	return r < 0 ? vgpu_reply_error(link, &err)
		     : sd_varlink_reply(link, NULL);
}
