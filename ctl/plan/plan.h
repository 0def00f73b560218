/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that make a host's vGPUs those of a file. */
#ifndef VGPU_CTL_PLAN_PLAN_H
#define VGPU_CTL_PLAN_PLAN_H

#include <stdbool.h>

#include <systemd/sd-json.h>

#include "ctl/plan/wanted.h"
#include "lib/err.h"

/* A host: the replies of the manager's List... methods. */
struct ctl_host {
	sd_json_variant *gpus;
	sd_json_variant *types;
	sd_json_variant *vgpus;
};

/* One call to the manager, and a line that describes it. */
struct ctl_step {
	const char *method;
	sd_json_variant *parameters;
	char *text; /* "+ cad: 4Q on embedded" */
};

struct ctl_plan {
	struct ctl_step *steps;
	size_t count;
};

void ctl_plan_finish(struct ctl_plan *plan);

/*
 * Compute the steps that make @host what @set wants; none if it is so already.
 * The definitions in @set are valid. Without @force, fails with @err if a vGPU
 * that would be destroyed or stopped is in use by a virtual machine.
 */
int ctl_plan_make(const struct ctl_host *host, const struct ctl_wanted_set *set,
		  bool force, struct ctl_plan *ret, struct vgpu_err *err);

#endif
