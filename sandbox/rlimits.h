/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource limits of confined processes. */
#ifndef VGPU_SANDBOX_RLIMITS_H
#define VGPU_SANDBOX_RLIMITS_H

#include "sandbox/role.h"

/* Returns 0 or -errno. */
int vgpu_sandbox_limit(enum vgpu_sandbox_role role);

#endif
