// SPDX-License-Identifier: GPL-2.0-or-later
/* How often something was tried of late: no more than some times an hour. */
#include "attempts.h"

u64 vgpu_attempts_wait(const struct vgpu_attempts *attempts, u64 now)
{
	u64 first = attempts->at[attempts->count % VGPU_ATTEMPTS_MAX];

	if (attempts->count < VGPU_ATTEMPTS_MAX ||
	    now - first >= VGPU_ATTEMPTS_WITHIN)
		return 0;
	return VGPU_ATTEMPTS_WITHIN - (now - first);
}
VGPU_EXPORT(vgpu_attempts_wait);

void vgpu_attempts_add(struct vgpu_attempts *attempts, u64 now)
{
	attempts->at[attempts->count % VGPU_ATTEMPTS_MAX] = now;
	attempts->count++;
	/* It wraps to what is as full. */
	if (attempts->count == 2 * VGPU_ATTEMPTS_MAX)
		attempts->count = VGPU_ATTEMPTS_MAX;
}
VGPU_EXPORT(vgpu_attempts_add);
