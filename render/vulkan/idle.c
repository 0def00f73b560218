/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a thread waits for commands that its guest writes to shared memory. */
#include "context.h"

#include <sched.h>
#include <time.h>

/*
 * How long to spin, yield and nap while waiting for the next command. A guest
 * that waits for answers returns within microseconds, one that draws frames
 * within milliseconds.
 */
#define SPIN_NS	     (20 * 1000ULL)
#define YIELD_NS_MIN (60 * 1000ULL)
#define YIELD_NS_MAX (400 * 1000ULL)
#define NAP_NS_FIRST 10000L
#define NAP_NS_MAX   160000L

void vgpu_idle_init(struct vgpu_idle *idle)
{
	idle->yield_ns = YIELD_NS_MIN;
	vgpu_idle_restart(idle);
}

void vgpu_idle_restart(struct vgpu_idle *idle)
{
	idle->since = vgpu_now_ns();
	idle->nap_ns = NAP_NS_FIRST;
}

/*
 * A guest that waits for a fence polls about every 200 us. A thread that naps
 * when the next submit comes delays the guest, which then polls late again. So
 * yield for as long as the guest tends to be away, within limits.
 */
void vgpu_idle_end(struct vgpu_idle *idle)
{
	uint64_t waited = vgpu_now_ns() - idle->since;

	if (waited >= YIELD_NS_MAX)
		idle->yield_ns = VGPU_MAX(idle->yield_ns / 2, YIELD_NS_MIN);
	else if (waited > idle->yield_ns)
		idle->yield_ns = VGPU_MIN(idle->yield_ns * 2, YIELD_NS_MAX);
}

uint64_t vgpu_idle_wait(struct vgpu_idle *idle)
{
	uint64_t waited = vgpu_now_ns() - idle->since;

	if (waited < SPIN_NS) {
		__builtin_ia32_pause();
	} else if (waited < idle->yield_ns) {
		sched_yield();
	} else {
		struct timespec nap = {.tv_nsec = idle->nap_ns};

		nanosleep(&nap, NULL);
		idle->nap_ns = VGPU_MIN(idle->nap_ns * 2, NAP_NS_MAX);
	}
	return waited;
}
