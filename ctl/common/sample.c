/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures at one moment, and what two of them tell. */
#include "ctl/common/sample.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "lib/util.h"

#define CLASSES_MAX 64

void ctl_sample_finish(struct ctl_sample *sample)
{
	sd_json_variant_unref(sample->gpus);
	sd_json_variant_unref(sample->vgpus);
	*sample = (struct ctl_sample){};
}

/* Of another machine, if the manager there says it. */
static int count_processors(struct ctl *ctl, double *ret, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *info = NULL;
	uint64_t n = 0;
	int r;

	if (!ctl->host) {
		*ret = (double)VGPU_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
		return 0;
	}
	r = ctl_manager_call(ctl, "GetInfo", NULL, &info, err);
	if (r < 0)
		return r;
	ctl_json_unsigned(info, "processors", &n);
	*ret = (double)n;
	return 0;
}

int ctl_sample_init(struct ctl_sample *ret, struct ctl *ctl, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *gpus = NULL;
	ctl_autojson sd_json_variant *vgpus = NULL;
	double processors = 0;
	struct timespec now;
	int r;

	r = count_processors(ctl, &processors, err);
	if (r < 0)
		return r;
	r = ctl_manager_call_array(ctl, "ListGpus", NULL, "gpus", &gpus, err);
	if (r < 0)
		return r;
	r = ctl_manager_call_array(ctl, "ListVgpus", NULL, "vgpus", &vgpus, err);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*ret = (struct ctl_sample){
		.gpus = vgpu_steal(&gpus),
		.vgpus = vgpu_steal(&vgpus),
		.seconds = now.tv_sec + now.tv_nsec / 1e9,
		.processors = processors,
	};
	return 0;
}

sd_json_variant *ctl_sample_find(const struct ctl_sample *before,
				 sd_json_variant *vgpu)
{
	const char *uuid = ctl_json_string(vgpu, "uuid");

	for (size_t i = 0; i < sd_json_variant_elements(before->vgpus); i++) {
		sd_json_variant *old = sd_json_variant_by_index(before->vgpus, i);
		const char *old_uuid = ctl_json_string(old, "uuid");

		if (uuid && old_uuid && strcmp(uuid, old_uuid) == 0)
			return old;
	}
	return NULL;
}

double ctl_sample_rate(sd_json_variant *vgpu, const char *key,
		       sd_json_variant *old, double seconds)
{
	uint64_t now, then;

	/* The counter starts again when a VM attaches, so it may decrease. */
	if (old && seconds > 0 && ctl_json_unsigned(vgpu, key, &now) &&
	    ctl_json_unsigned(old, key, &then) && now >= then)
		return (now - then) / seconds;
	return -1;
}

double ctl_sample_cpu_percent(const struct ctl_sample *now, sd_json_variant *vgpu,
			      sd_json_variant *old, double seconds)
{
	double used = ctl_sample_rate(vgpu, "cpuUsec", old, seconds) / 1e6;

	if (now->processors <= 0 || used < 0)
		return -1;
	return VGPU_MIN(used * 100 / now->processors, 100.0);
}

struct interval {
	double up_to; /* microseconds */
	double frames;
};

static size_t read_classes(sd_json_variant *vgpu,
			   struct interval ret[CLASSES_MAX])
{
	sd_json_variant *array = sd_json_variant_by_key(vgpu, "frameIntervals");
	size_t n = 0;

	for (size_t i = 0; sd_json_variant_is_array(array) && n < CLASSES_MAX &&
			   i < sd_json_variant_elements(array);
	     i++) {
		sd_json_variant *one = sd_json_variant_by_index(array, i);
		uint64_t up_to, frames;

		if (ctl_json_unsigned(one, "upToUsec", &up_to) &&
		    ctl_json_unsigned(one, "frames", &frames))
			ret[n++] =
				(struct interval){(double)up_to, (double)frames};
	}
	return n;
}

static void subtract(struct interval *classes, size_t n, sd_json_variant *old)
{
	struct interval before[CLASSES_MAX];
	size_t there = old ? read_classes(old, before) : 0;

	for (size_t i = 0; i < n && there == n; i++)
		/* Of another process: it began again. */
		if (before[i].frames > classes[i].frames)
			return;
	for (size_t i = 0; i < n && there == n; i++)
		classes[i].frames -= before[i].frames;
}

bool ctl_sample_interval(sd_json_variant *vgpu, sd_json_variant *old,
			 double fraction, uint64_t *ret_usec)
{
	struct interval classes[CLASSES_MAX];
	size_t n = read_classes(vgpu, classes);
	double all = 0, below = 0, from = 0;

	subtract(classes, n, old);
	for (size_t i = 0; i < n; i++)
		all += classes[i].frames;
	for (size_t i = 0; i < n && all > 0; i++) {
		if (below + classes[i].frames >= fraction * all) {
			/* As if those of a class were evenly spread. */
			*ret_usec = (uint64_t)(from +
					       (classes[i].up_to - from) *
						       (fraction * all - below) /
						       classes[i].frames);
			return true;
		}
		below += classes[i].frames;
		from = classes[i].up_to;
	}
	return false;
}

bool ctl_sample_count(sd_json_variant *vgpu, const char *key, uint64_t *ret)
{
	sd_json_variant *array = sd_json_variant_by_key(vgpu, key);
	uint64_t all = 0, one;

	if (!sd_json_variant_is_array(array))
		return false;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++)
		if (ctl_json_unsigned(sd_json_variant_by_index(array, i),
				      "count", &one))
			all += VGPU_MIN(one, UINT64_MAX - all);
	*ret = all;
	return true;
}
