/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What it takes to make a host's vGPUs those that a file wants. */
#ifndef VGPU_CTL_PLAN_H
#define VGPU_CTL_PLAN_H

#include <stdbool.h>

#include <systemd/sd-json.h>

#include "lib/err.h"

#include "wanted.h"

/* A host as the manager describes it: what its methods List... reply. */
struct ctl_host {
	sd_json_variant *gpus;
	sd_json_variant *types;
	sd_json_variant *vgpus;
};

/* A call of the manager, and what it means. */
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
 * Nothing where @set, whose definitions are good, is what there is. Fails with a
 * line in @err where, without @force, a virtual machine has one that would end.
 */
int ctl_plan_make(const struct ctl_host *host, const struct ctl_wanted_set *set,
		  bool force, struct ctl_plan *ret, struct vgpu_err *err);

#endif
