// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the work of vGPUs' guests keeps busy, and the samples of it that the
 * firmware sends in each second: OGK src/nvidia/generated/g_sdk-structures.h,
 * NV2080_CTRL_PERF_GET_GPUMON_PERFMON_UTIL_SAMPLES_V2_PARAMS_v1F_0E (tag
 * 570.144). A sample names one process for each engine: here those that work
 * take turns. While nobody works no samples are sent, which is the model's own.
 */
#include "model/vgpu.h"
#include "model/rpc.h"

#define SAMPLES	      72
#define SAMPLES_AT    16
#define SAMPLE_BYTES  56
#define SAMPLE_USE    8	 /* of memory, graphics, encoder, decoder */
#define USE_BYTES     12 /* parts of 10000, process, the guest's own process */
#define USE_COUNT     4
#define TYPE_PERFMON  2
#define NO_PROCESS    UINT32_MAX
#define PARTS_PERCENT 100
#define PARTS_WHOLE   10000

#define A_SECOND  7 /* samples: the ring has those of 10 seconds */
#define PERIOD_NS (NANOSECONDS_PER_SECOND / A_SECOND)

struct vgpu_use {
	QEMUTimer *timer;
	uint32_t next, turn;
	uint8_t event[SAMPLES_AT + SAMPLES * SAMPLE_BYTES];
};

/* Of an engine, counted as in a sample; memory is as busy as graphics. */
static uint32_t percent(const struct vgpu *v, unsigned int use)
{
	unsigned int shift = use ? (use - 1) * 8 : 0;

	if (v->state != VGPU_UP)
		return 0;
	return MIN(extract32(v->guest.load, shift, 8), 100);
}

static void put_use(GpuModel *m, unsigned int use, uint32_t turn, uint8_t *out)
{
	const struct vgpu *v, *workers[SRIOV_TOTAL_VFS];
	uint32_t gfid, count = 0, parts = 0, process = NO_PROCESS;

	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++) {
		v = model_vgpu_of(m, gfid);
		if (percent(v, use))
			workers[count++] = v;
	}
	if (count) {
		v = workers[turn % count];
		parts = MIN(percent(v, use) * count * PARTS_PERCENT, PARTS_WHOLE);
		process = v->vm_pid;
	}
	stl_le_p(out, parts);
	stl_le_p(out + 4, process);
	stl_le_p(out + 8, NO_PROCESS);
}

static void put_sample(GpuModel *m, struct vgpu_use *u, uint64_t ns)
{
	uint8_t *sample = u->event + SAMPLES_AT + u->next * SAMPLE_BYTES;
	unsigned int use;

	stq_le_p(sample, ns);
	for (use = 0; use < USE_COUNT; use++)
		put_use(m, use, u->turn, sample + SAMPLE_USE + use * USE_BYTES);
	u->turn++;
	u->next = (u->next + 1) % SAMPLES;
}

static bool anybody_works(GpuModel *m)
{
	uint32_t gfid;

	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++)
		if (model_vgpu_serves(m, gfid) &&
		    model_vgpu_of(m, gfid)->guest.load)
			return true;
	return false;
}

static void sample(void *opaque)
{
	GpuModel *m = opaque;
	struct vgpu_use *u = m->vgpu_use;
	uint64_t now = model_time_ns(m);
	unsigned int i;

	if (!anybody_works(m))
		return;
	for (i = A_SECOND; i-- > 0;)
		put_sample(m, u, now - i * PERIOD_NS);
	u->event[0] = TYPE_PERFMON;
	stl_le_p(u->event + 4, SAMPLES * SAMPLE_BYTES);
	stl_le_p(u->event + 8, SAMPLES);
	stl_le_p(u->event + 12, u->next);
	model_msgq_send(m, RPC_EVENT_PERFMON_UTIL_SAMPLES, 0, 0, u->event,
			sizeof(u->event));
	timer_mod(u->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
				    NANOSECONDS_PER_SECOND);
}

void model_vgpu_guest_load(GpuModel *m, uint32_t gfid, uint32_t load)
{
	model_vgpu_of(m, gfid)->guest.load = load;
	if (!m->vgpu_use) {
		m->vgpu_use = g_new0(struct vgpu_use, 1);
		m->vgpu_use->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, sample, m);
	}
	if (!timer_pending(m->vgpu_use->timer))
		timer_mod(m->vgpu_use->timer,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
				  NANOSECONDS_PER_SECOND);
}

void model_vgpu_forget_use(GpuModel *m)
{
	if (m->vgpu_use)
		timer_free(m->vgpu_use->timer);
	g_free(m->vgpu_use);
	m->vgpu_use = NULL;
}
