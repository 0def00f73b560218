/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures in Prometheus' text format, version 0.0.4. */
#ifndef VGPU_CTL_COMMON_PROMETHEUS_H
#define VGPU_CTL_COMMON_PROMETHEUS_H

#include <stdio.h>

#include "ctl/ctl.h"

/* vGPUs that are shown; what is beyond is counted only. */
#define CTL_PROMETHEUS_VGPUS_MAX 1024

/* Replies of the manager. */
struct ctl_figures {
	sd_json_variant *info; /* of GetInfo */
	sd_json_variant *gpus;
	sd_json_variant *vgpus;
};

void ctl_figures_finish(struct ctl_figures *figures);
/* Ask the manager. Returns 0 or a negative errno with @err. */
int ctl_figures_init(struct ctl_figures *ret, struct ctl *ctl,
		     struct vgpu_err *err);

/* All samples, each metric's together, as the format wants it. */
void ctl_prometheus_write(const struct ctl *ctl,
			  const struct ctl_figures *figures, FILE *f);
/* What there is to say if the manager does not answer. */
void ctl_prometheus_write_down(FILE *f);

#endif
