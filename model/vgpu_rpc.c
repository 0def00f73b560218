// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's messages to a vGPU's task, and its answers: in the heap that both
 * see, at a doorbell. Layout and numbers: "RFC v2 nvidia-vgpu" on the kvm list,
 * patch 10 (for 570.144).
 */
#include "model/vgpu.h"
#include "model/vf.h"

#define CTRL_VERSION   0
#define CTRL_TYPE      4
#define CTRL_SEQUENCE  8
#define CTRL_RESPONSE  16
#define CTRL_MESSAGE   24
#define CTRL_V1	       1
#define RESP_RECEIVED  0
#define RESP_PROCESSED 4
#define RESP_RESULT    8

enum {
	MSG_VERSION_NEGOTIATION = 1,
	MSG_SETUP_CONFIG_AND_INIT = 2,
	MSG_RESET = 3,
	MSG_UPDATE_BME_STATE = 13,
};
#define CONFIG_DBDF	16
#define CONFIG_CHANNELS 40

void model_vgpu_write_magic(GpuModel *m, struct vgpu *v)
{
	v->sequence = VGPU_BOOTLOADED;
	stl_le_p(m->fb + v->heap + v->ctrl + CTRL_SEQUENCE, VGPU_BOOTLOADED);
}

static void set_bus_master(GpuModel *m, uint32_t gfid, bool on)
{
	ModelVf *vf = model_vf_of(m, gfid);

	model_vgpu_of(m, gfid)->bus_master = on;
	if (vf && on)
		model_vf_regs_resume(vf);
}

/* The result of one message: a status, 0 when it was done. */
static uint32_t message(GpuModel *m, uint32_t gfid, uint32_t type, uint8_t *data)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	switch (type) {
	case MSG_VERSION_NEGOTIATION:
		if (!get32(data))
			return NV_ERR_INVALID_ARGUMENT;
		stl_le_p(data + 4, get32(data));
		v->negotiated = true;
		return NV_OK;
	case MSG_SETUP_CONFIG_AND_INIT:
		if (!v->negotiated)
			return NV_ERR_INVALID_STATE;
		if (get32(data + CONFIG_DBDF) != v->dbdf ||
		    get32(data + CONFIG_CHANNELS) != v->channels)
			return NV_ERR_INVALID_ARGUMENT;
		v->configured = true;
		return NV_OK;
	case MSG_RESET:
		return v->configured ? NV_OK : NV_ERR_INVALID_STATE;
	case MSG_UPDATE_BME_STATE:
		if (!v->configured)
			return NV_ERR_INVALID_STATE;
		set_bus_master(m, gfid, data[0]);
		data[1] = 1; /* it was allowed */
		return NV_OK;
	}
	return NV_ERR_NOT_SUPPORTED;
}

void model_vgpu_answer(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	const uint8_t *ctrl = m->fb + v->heap + v->ctrl;
	uint32_t version = get32(ctrl + CTRL_VERSION);
	uint32_t type = get32(ctrl + CTRL_TYPE);
	uint32_t sequence = get32(ctrl + CTRL_SEQUENCE), result;
	uint64_t response = ldq_le_p(ctrl + CTRL_RESPONSE);
	uint64_t data = ldq_le_p(ctrl + CTRL_MESSAGE);
	uint8_t *out;

	if (version != CTRL_V1 || response % 8 || data % 8 ||
	    response > v->heap_bytes - VGPU_PAGE ||
	    data > v->heap_bytes - VGPU_PAGE) {
		model_refuse(m, "vgpu",
			     "gfid %u: version %u, response at %" PRIx64
			     ", message at %" PRIx64,
			     gfid, version, response, data);
		return;
	}
	if (sequence == v->sequence) {
		model_refuse(m, "vgpu", "gfid %u: message %u once more", gfid,
			     sequence);
		return;
	}
	v->sequence = sequence;
	out = m->fb + v->heap + response;
	stl_le_p(out + RESP_RECEIVED, sequence);
	result = message(m, gfid, type, m->fb + v->heap + data);
	if (result)
		model_refuse(m, "vgpu", "gfid %u: message of type %u: %x", gfid,
			     type, result);
	stl_le_p(out + RESP_RESULT, result);
	stl_le_p(out + RESP_PROCESSED, sequence);
}
