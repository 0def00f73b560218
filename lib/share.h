/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How vGPUs share a GPU's time: schedulers, and what each means in figures. */
#ifndef VGPU_LIB_SHARE_H
#define VGPU_LIB_SHARE_H

#include <stdbool.h>
#include <stdint.h>

enum vgpu_scheduler {
	/* Who has work gets time by its weight, the more the fewer others do. */
	VGPU_SCHEDULER_BEST_EFFORT,
	/* Each of those that serve gets as much as any other, and no more. */
	VGPU_SCHEDULER_EQUAL_SHARE,
	/* Each gets the part of the GPU that it is, whatever others do. */
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

/* Parts of a whole are counted in millionths. */
#define VGPU_SHARE_WHOLE 1000000u

/*
 * The fixed share of a vGPU that has @bytes of the GPU's @gpu_bytes of
 * framebuffer, and a weight other than its type's: that of twice the weight is
 * twice as large. At most the whole; never nothing.
 */
uint32_t vgpu_share_fixed(uint64_t bytes, uint64_t gpu_bytes, uint32_t weight,
			  uint32_t type_weight);

/* What the kernel is told of a vGPU on a software GPU. */
struct vgpu_cpu_share {
	uint32_t weight;
	uint64_t quota_usec; /* of all processors in each period; 0: no limit */
	uint64_t period_usec;
};

/*
 * @part: what is granted to it of VGPU_SHARE_WHOLE, which is its limit with all
 * schedulers but best effort.
 */
void vgpu_share_of_cpu(const struct vgpu_scheduling *scheduling,
		       uint32_t weight, uint32_t part, uint32_t processors,
		       struct vgpu_cpu_share *ret_share);

#endif
