/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process counts for those who watch it. */
#include "figures.h"

#include "util.h"

/*
 * Close together around the usual refresh rates (144, 120, 75, 60, 50, 45, 30,
 * 25 Hz), so that a frame that came late is in another class.
 */
static const uint32_t bounds_usec[] = {
	4000,	8000,
	12000,	16000,
	18000,	20000,
	24000,	28000,
	34000,	42000,
	60000,	100000,
	250000, VGPU_FRAME_INTERVAL_USEC_MAX,
};
static_assert(VGPU_ARRAY_SIZE(bounds_usec) == VGPU_FRAME_INTERVALS, "classes");

void vgpu_figures_count_interval(struct vgpu_figures *figures, uint64_t usec)
{
	for (unsigned int i = 0; i < VGPU_FRAME_INTERVALS; i++) {
		if (usec > bounds_usec[i])
			continue;
		figures->intervals[i]++;
		figures->intervals_usec += usec;
		return;
	}
}

uint32_t vgpu_figures_interval_usec(unsigned int i)
{
	return bounds_usec[VGPU_MIN(i, VGPU_FRAME_INTERVALS - 1u)];
}

const char *vgpu_loss_name(enum vgpu_loss loss)
{
	static const char *const names[] = {
		[VGPU_LOSS_OTHER] = "other",
		[VGPU_LOSS_STREAM] = "stream",
		[VGPU_LOSS_TIME] = "time",
		[VGPU_LOSS_DEVICE] = "device",
		[VGPU_LOSS_SIGNAL] = "signal",
		[VGPU_LOSS_FORBIDDEN_CALL] = "forbidden-call",
	};

	static_assert(VGPU_ARRAY_SIZE(names) == VGPU_LOSS_MAX, "names");
	return names[loss < VGPU_LOSS_MAX ? loss : VGPU_LOSS_OTHER];
}

const char *vgpu_refusal_name(enum vgpu_refusal refusal)
{
	static const char *const names[] = {
		[VGPU_REFUSAL_UNSPECIFIED] = "unspecified",
		[VGPU_REFUSAL_OUT_OF_MEMORY] = "out-of-memory",
		[VGPU_REFUSAL_SCANOUT] = "scanout",
		[VGPU_REFUSAL_RESOURCE] = "resource",
		[VGPU_REFUSAL_CONTEXT] = "context",
		[VGPU_REFUSAL_PARAMETER] = "parameter",
	};

	static_assert(VGPU_ARRAY_SIZE(names) == VGPU_REFUSAL_MAX, "names");
	return names[refusal < VGPU_REFUSAL_MAX ? refusal : VGPU_REFUSAL_UNSPECIFIED];
}
