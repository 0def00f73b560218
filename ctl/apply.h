/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What apply and check share: a file, the host, and what differs. */
#ifndef VGPU_CTL_APPLY_H
#define VGPU_CTL_APPLY_H

#include "ctl.h"
#include "plan.h"

/* What the file that the first word names wants to be changed. */
enum ctl_exit ctl_apply_plan(struct ctl *ctl, bool force, struct ctl_plan *ret);
/* A line for each step; as JSON one array of them. */
enum ctl_exit ctl_apply_print(struct ctl *ctl, const struct ctl_plan *plan);

#endif
