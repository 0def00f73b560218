/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How vGPUs share a GPU's time: schedulers, and the cgroup values for each. */
#include "share.h"

#include <string.h>

#include "type.h"
#include "util.h"

/* Limits of the kernel for cpu.max: the period, and the least quota. */
#define PERIOD_USEC_MIN 1000u
#define PERIOD_USEC_MAX 1000000u
#define QUOTA_USEC_MIN	1000u
/* The default of cgroup v2, which the host's other groups have. */
#define WEIGHT_ALIKE 100u

static const char *const names[] = {
	[VGPU_SCHEDULER_BEST_EFFORT] = "best-effort",
	[VGPU_SCHEDULER_EQUAL_SHARE] = "equal-share",
	[VGPU_SCHEDULER_FIXED_SHARE] = "fixed-share",
};

const char *vgpu_scheduler_name(enum vgpu_scheduler scheduler)
{
	return names[scheduler];
}

bool vgpu_scheduler_parse(const char *name, enum vgpu_scheduler *ret_scheduler)
{
	for (unsigned int i = 0; i < VGPU_SCHEDULER_MAX; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*ret_scheduler = i;
		return true;
	}
	return false;
}

uint32_t vgpu_share_fixed(uint64_t bytes, uint64_t gpu_bytes, uint32_t weight,
			  uint32_t type_weight)
{
	/*
	 * Framebuffers have less than 2^44 bytes: in MiB the product does not
	 * overflow.
	 */
	uint64_t part = bytes / VGPU_MIB * VGPU_SHARE_WHOLE;
	uint64_t share;

	if (gpu_bytes < VGPU_MIB || type_weight == 0)
		return VGPU_SHARE_WHOLE;
	share = part / (gpu_bytes / VGPU_MIB);
	share = share * VGPU_MIN(weight, VGPU_TYPE_WEIGHT_MAX) / type_weight;
	return (uint32_t)VGPU_MAX(VGPU_MIN(share, VGPU_SHARE_WHOLE), 1u);
}

/*
 * Let the vGPU run for one time slice on every processor, then wait for the
 * time that is due to the others.
 */
static void limit(uint32_t slice_usec, uint32_t part, uint32_t processors,
		  struct vgpu_cpu_share *share)
{
	uint64_t period =
		(uint64_t)slice_usec * VGPU_SHARE_WHOLE / VGPU_MAX(part, 1u);

	period = VGPU_MAX(VGPU_MIN(period, PERIOD_USEC_MAX), PERIOD_USEC_MIN);
	share->period_usec = period;
	share->quota_usec = VGPU_MAX(
		period * processors * part / VGPU_SHARE_WHOLE, QUOTA_USEC_MIN);
}

void vgpu_share_of_cpu(const struct vgpu_scheduling *scheduling,
		       uint32_t weight, uint32_t part, uint32_t processors,
		       struct vgpu_cpu_share *ret_share)
{
	struct vgpu_cpu_share share = {.weight = WEIGHT_ALIKE};

	if (scheduling->scheduler == VGPU_SCHEDULER_BEST_EFFORT)
		share.weight = weight;
	else if (part < VGPU_SHARE_WHOLE)
		limit(scheduling->time_slice_ms * 1000, part, processors, &share);
	*ret_share = share;
}

uint32_t vgpu_share_of_gpu(const struct vgpu_scheduling *scheduling, uint32_t part)
{
	return scheduling->scheduler == VGPU_SCHEDULER_BEST_EFFORT
		       ? VGPU_SHARE_WHOLE
		       : VGPU_MIN(part, VGPU_SHARE_WHOLE);
}
