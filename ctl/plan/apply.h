/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by apply and check: read the file and the host, and compare them. */
#ifndef VGPU_CTL_PLAN_APPLY_H
#define VGPU_CTL_PLAN_APPLY_H

#include "ctl/ctl.h"
#include "ctl/plan/plan.h"

/* Compute the changes for the file that the first word names. */
enum ctl_exit ctl_apply_plan(struct ctl *ctl, bool force, struct ctl_plan *ret);
/* Print one line for each step, or one JSON array. */
enum ctl_exit ctl_apply_print(struct ctl *ctl, const struct ctl_plan *plan);

#endif
