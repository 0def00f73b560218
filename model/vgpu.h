/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware's vGPU tasks: one for each VF that is in use. */
#ifndef VGPU_MODEL_VGPU_H
#define VGPU_MODEL_VGPU_H

#include "model/rm.h"

enum vgpu_state {
	VGPU_NONE,
	VGPU_BOOTING, /* its magic is still to come */
	VGPU_UP,
	VGPU_DOWN, /* shut down or crashed: to be cleaned up */
};

struct vgpu {
	enum vgpu_state state;
	uint32_t dbdf, channels, first_channel;
	uint32_t segments;
	uint64_t fb_start[384], fb_bytes[384];
	uint64_t heap, heap_bytes, ctrl;
	uint32_t sequence;
	bool rung, negotiated, configured, bus_master;
};

uint32_t model_vgpu_add_types(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params);
uint32_t model_vgpu_bootload(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params);
uint32_t model_vgpu_shutdown(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params);
uint32_t model_vgpu_cleanup(GpuModel *m, const struct rm_ref *who,
			    uint8_t *params);
void model_vgpu_doorbell(GpuModel *m, uint32_t value);
/* A task ends by itself; false: there is none for this VF. */
bool model_vgpu_crash(GpuModel *m, uint32_t gfid);
void model_vgpu_finish(GpuModel *m);

#endif
