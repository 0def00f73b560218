// SPDX-License-Identifier: GPL-2.0-or-later
/* What vGPUs use: of their framebuffer, and of the engines' time. */
#include <linux/math64.h>
#include <linux/slab.h>

#include "kernel/core/abi/queue_abi.h"
#include "mgr.h"

/* Longer gaps between samples are none's: nobody was watching. */
#define GAP_MAX_NS (2 * NSEC_PER_SEC)

static void usage_add_time(struct vgpu_mgr *mgr,
			   const struct vgpu_use_sample *sample, u64 ns)
{
	u32 i, use;

	for (i = 0; i < mgr->vf_count; i++) {
		struct vgpu_vf *vf = &mgr->vfs[i];

		if (!READ_ONCE(vf->is_open))
			continue;
		for (use = 0; use < VGPU_USE_ENGINES; use++) {
			u64 parts = min_t(u32, sample->engine[use].parts,
					  VGPU_USE_WHOLE);

			if (sample->engine[use].process == vgpu_vf_process(vf))
				WRITE_ONCE(vf->engine_ns[use],
					   vf->engine_ns[use] +
						   div_u64(ns * parts,
							   VGPU_USE_WHOLE));
		}
	}
}

/* What came before is told again and again, until the ring has wrapped. */
static void usage_handle_samples(struct vgpu_event_subscriber *subscriber,
				 const u8 *payload, u32 bytes)
{
	struct vgpu_mgr *mgr = container_of(subscriber, struct vgpu_mgr, samples);
	const struct vgpu_task_abi *abi = mgr->pf->abi->task;
	struct vgpu_use_sample sample;
	u32 i;
	u64 ns;

	for (i = 0; abi->get_use_sample(payload, bytes, i, &sample) == 0; i++) {
		if (sample.ns <= mgr->sampled_ns)
			continue;
		ns = sample.ns - mgr->sampled_ns;
		mgr->sampled_ns = sample.ns;
		if (ns <= GAP_MAX_NS)
			usage_add_time(mgr, &sample, ns);
	}
}

void vgpu_mgr_watch_usage(struct vgpu_mgr *mgr)
{
	mgr->samples.event = VGPU_RPC_EVENT_GPUACCT_PERFMON_UTIL_SAMPLES;
	mgr->samples.handle = usage_handle_samples;
	mgr->pf->ops->subscribe(mgr->pf, &mgr->samples);
}

void vgpu_mgr_unwatch_usage(struct vgpu_mgr *mgr)
{
	mgr->pf->ops->unsubscribe(mgr->pf, &mgr->samples);
}

u64 vgpu_vf_fb_used(struct vgpu_vf *vf)
{
	struct vgpu_pf *pf = vf->mgr->pf;
	const struct vgpu_task_abi *abi = pf->abi->task;
	void *params;
	u64 used = 0;

	if (!READ_ONCE(vf->is_open))
		return 0;
	params = kzalloc(abi->usage_bytes, GFP_KERNEL);
	if (params && pf->ops->control_internal(pf, VGPU_TASK_GET_FB_USAGE,
						params, abi->usage_bytes) == 0)
		used = abi->get_fb_usage(params, vf->gfid);
	kfree(params);
	return used;
}
