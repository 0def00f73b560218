/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that say what vGPUs are wanted. */
#ifndef VGPU_CTL_PLAN_WANTED_H
#define VGPU_CTL_PLAN_WANTED_H

#include <stdbool.h>

#include <systemd/sd-json.h>

#include "lib/err.h"

/* One vGPU as a file has it. */
struct ctl_wanted {
	/* As of Define: type, gpu, name, uuid, placement, weight,
	 * frameRateLimit, autostart, heads; what the file leaves open is not
	 * there. */
	sd_json_variant *definition;
	bool is_started; /* or may be either, if not has_state */
	bool has_state;
};

struct ctl_wanted_set {
	struct ctl_wanted *vgpus;
	size_t count;
	/* It speaks of these GPUs alone, an array of strings: what is on others
	 * is left as it is. NULL: of all. */
	sd_json_variant *gpus;
};

#define CTL_WANTED_MAX 4096 /* more than there is framebuffer for anywhere */

void ctl_wanted_set_finish(struct ctl_wanted_set *set);
static inline void ctl_wanted_finish(struct ctl_wanted *wanted)
{
	wanted->definition = sd_json_variant_unref(wanted->definition);
}

/*
 * The value in the file @path, "-" for standard input: JSON, or YAML. Returns
 * 0 and the value, which the caller unrefs.
 */
int ctl_wanted_read(const char *path, sd_json_variant **ret,
		    struct vgpu_err *err);

/*
 * One vGPU: an object as `vgpuctl show` prints it, of which what only tells how
 * it is is left out. @where says in messages which one it is.
 */
int ctl_wanted_parse(const char *where, sd_json_variant *object,
		     struct ctl_wanted *ret, struct vgpu_err *err);

/*
 * All vGPUs of a host: {"version": 1, "vgpus": [...]}, or the array alone, as
 * `vgpuctl list` prints it. Or the file of NVIDIA's vGPU Device Manager, of
 * which @config chooses one configuration (NULL: the only one), for the GPUs in
 * the array @gpus, of ListGpus, with @types, of ListTypes.
 */
int ctl_wanted_parse_all(const char *where, sd_json_variant *value,
			 const char *config, sd_json_variant *gpus,
			 sd_json_variant *types, struct ctl_wanted_set *ret,
			 struct vgpu_err *err);

/* wanted_configs.c: the second kind. */
bool ctl_wanted_is_config(sd_json_variant *value);
int ctl_wanted_parse_config(const char *where, sd_json_variant *value,
			    const char *config, sd_json_variant *gpus,
			    sd_json_variant *types, struct ctl_wanted_set *set,
			    struct vgpu_err *err);
/* One more in @set, zeroed; NULL without memory or where there are too many. */
struct ctl_wanted *ctl_wanted_add(struct ctl_wanted_set *set);

#endif
