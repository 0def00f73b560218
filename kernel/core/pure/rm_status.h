/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firmware's resource manager says of a call, as an errno. */
#ifndef VGPU_KERNEL_CORE_PURE_RM_STATUS_H
#define VGPU_KERNEL_CORE_PURE_RM_STATUS_H

#include "port.h"

#define VGPU_RM_OK 0

/* 0, or a negative errno; -EREMOTEIO for what has no better one. */
int vgpu_rm_status_errno(u32 status);

#endif
