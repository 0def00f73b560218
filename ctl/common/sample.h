/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures at one moment, and what two of them tell. */
#ifndef VGPU_CTL_COMMON_SAMPLE_H
#define VGPU_CTL_COMMON_SAMPLE_H

#include <stdio.h>

#include "ctl/ctl.h"

struct vgpu_err;

/* All zero: none. */
struct ctl_sample {
	sd_json_variant *gpus;
	sd_json_variant *vgpus;
	double seconds;	   /* on the monotonic clock */
	double processors; /* of the manager's machine; 0: unknown */
};

int ctl_sample_init(struct ctl_sample *ret, struct ctl *ctl,
		    struct vgpu_err *err);
void ctl_sample_finish(struct ctl_sample *sample);

/* The same vGPU in @before, or NULL. */
sd_json_variant *ctl_sample_find(const struct ctl_sample *before,
				 sd_json_variant *vgpu);
/*
 * Growth of the member @key of @vgpu since @old, for each second; negative:
 * unknown.
 */
double ctl_sample_rate(sd_json_variant *vgpu, const char *key,
		       sd_json_variant *old, double seconds);
/* Its processes' part of the time of all processors, in percent; or negative. */
double ctl_sample_cpu_percent(const struct ctl_sample *now, sd_json_variant *vgpu,
			      sd_json_variant *old, double seconds);
/*
 * The time from one frame to the next that @fraction of them keep, since @old
 * (NULL: since the beginning), as estimated from their classes, in
 * microseconds. Returns false if there was no frame.
 */
bool ctl_sample_interval(sd_json_variant *vgpu, sd_json_variant *old,
			 double fraction, uint64_t *ret_usec);
/* The sum of the counts in the array @key of @vgpu; false: it has none. */
bool ctl_sample_count(sd_json_variant *vgpu, const char *key, uint64_t *ret);

#endif
