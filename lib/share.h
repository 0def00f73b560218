/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How vGPUs share a GPU's time: schedulers, and the cgroup values for each. */
#ifndef VGPU_LIB_SHARE_H
#define VGPU_LIB_SHARE_H

#include <stdbool.h>
#include <stdint.h>

enum vgpu_scheduler {
	/* Time is divided by weight among the vGPUs that have work. */
	VGPU_SCHEDULER_BEST_EFFORT,
	/* Each running vGPU gets the same share, and no more. */
	VGPU_SCHEDULER_EQUAL_SHARE,
	/*
	 * Each vGPU gets its type's part of the GPU, whether or not others have
	 * work.
	 */
	VGPU_SCHEDULER_FIXED_SHARE,
	VGPU_SCHEDULER_MAX,
};

#define VGPU_TIME_SLICE_MS_MAX	   100
#define VGPU_TIME_SLICE_MS_DEFAULT 5

struct vgpu_scheduling {
	enum vgpu_scheduler scheduler;
	uint32_t time_slice_ms; /* 1 to VGPU_TIME_SLICE_MS_MAX */
};

/* "best-effort", "equal-share", "fixed-share" */
const char *vgpu_scheduler_name(enum vgpu_scheduler scheduler);
bool vgpu_scheduler_parse(const char *name, enum vgpu_scheduler *ret_scheduler);

/* Shares are in millionths of the whole. */
#define VGPU_SHARE_WHOLE 1000000u

/*
 * The fixed share of a vGPU with @bytes of the GPU's @gpu_bytes of framebuffer,
 * scaled by its weight over its type's weight. At least 1, at most the whole.
 */
uint32_t vgpu_share_fixed(uint64_t bytes, uint64_t gpu_bytes, uint32_t weight,
			  uint32_t type_weight);

/*
 * What part of a hardware GPU a vGPU may use that is granted @part: with best
 * effort all of it, for there the GPU's driver divides.
 */
uint32_t vgpu_share_of_gpu(const struct vgpu_scheduling *scheduling,
			   uint32_t part);

/* Values for the cgroup of a vGPU on a software GPU. */
struct vgpu_cpu_share {
	uint32_t weight;
	uint64_t quota_usec; /* in each period, over all processors; 0: no limit */
	uint64_t period_usec;
};

/*
 * @part: the share granted to it, of VGPU_SHARE_WHOLE. It is a limit with all
 * schedulers but best effort.
 */
void vgpu_share_of_cpu(const struct vgpu_scheduling *scheduling,
		       uint32_t weight, uint32_t part, uint32_t processors,
		       struct vgpu_cpu_share *ret_share);

#endif
