/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods about shares: schedulers of GPUs. */
#include <string.h>

#include "lib/util.h"
#include "methods.h"
#include "rights.h"
#include "reply.h"
#include "manager/vgpu/scheduler.h"
#include "manager/vgpu/share.h"
#include "manager/host/text.h"

/* A number of 32 bits. Anything else becomes larger than any limit. */
int vgpu_method_dispatch_number(const char *name, sd_json_variant *variant,
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

/* The GPU of that name, or the first whose time the manager shares. */
static struct vgpu_gpu *find_shared(struct vgpu_manager *manager,
				    const char *id, struct vgpu_err *err)
{
	struct vgpu_inventory *inventory = &manager->inventory;
	struct vgpu_gpu *gpu =
		vgpu_inventory_choose(inventory, id ? id : "embedded", err);

	if (!gpu)
		return NULL;
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
		{"timeSliceMs", _SD_JSON_VARIANT_TYPE_INVALID,
		 vgpu_method_dispatch_number,
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
	r = vgpu_scheduler_set(manager, gpu, &scheduling, vgpu_rights_uid(link),
			       &err);
	return r < 0 ? vgpu_reply_error(link, &err)
		     : sd_varlink_reply(link, NULL);
}
