/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's share of a hardware GPU's time. */
#include "device/time_share.h"

#include <errno.h>
#include <string.h>

#include "device/render/host_memory.h"
#include "lib/share.h"

int vgpu_time_share_open(struct vgpu_slots *slots,
			 const struct vgpu_control_start *start,
			 struct vgpu_gpu_time **ret_time, struct vgpu_err *err)
{
	int fd = vgpu_slots_get(slots, VGPU_SLOT_TIME), r = 0;

	*ret_time = NULL;
	if (!start->has_renderer || vgpu_render_is_software(start->gpu_uuid))
		return 0;
	if (fd >= 0) {
		*ret_time = vgpu_gpu_time_map(fd);
		r = *ret_time ? 0 : -EINVAL;
	} else {
		r = vgpu_gpu_time_create(ret_time, &fd);
		if (r >= 0)
			vgpu_slots_put(slots, VGPU_SLOT_TIME, fd);
	}
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "the page of its GPU time: %s",
				    strerror(-r));
	vgpu_time_share_set(*ret_time, &start->time);
	return 0;
}

void vgpu_time_share_set(struct vgpu_gpu_time *time,
			 const struct vgpu_control_time *share)
{
	if (time)
		vgpu_gpu_time_grant(time,
				    share->part ? share->part : VGPU_SHARE_WHOLE,
				    share->slice_usec);
}

void vgpu_time_share_count(struct vgpu_gpu_time *time,
			   struct vgpu_figures *figures)
{
	if (time)
		figures->gpu_ns = atomic_load(&time->used_ns);
}
