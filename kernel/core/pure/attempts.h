/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often something was tried of late: no more than some times an hour. */
#ifndef VGPU_KERNEL_CORE_PURE_ATTEMPTS_H
#define VGPU_KERNEL_CORE_PURE_ATTEMPTS_H

#include "port.h"

#define VGPU_ATTEMPTS_MAX    8 /* in the time below */
#define VGPU_ATTEMPTS_WITHIN 3600

struct vgpu_attempts {
	u64 at[VGPU_ATTEMPTS_MAX]; /* seconds, of any clock that goes on */
	u32 count;		   /* of all that there ever were */
};

/* In how many seconds the next one may be made. */
u64 vgpu_attempts_wait(const struct vgpu_attempts *attempts, u64 now);
void vgpu_attempts_add(struct vgpu_attempts *attempts, u64 now);

#endif
