// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's messages to a vGPU's task, and its answers: in the heap that both see,
 * at a doorbell. Layout and numbers: "RFC v2 nvidia-vgpu" on the kvm list, patch 10
 * (for 570.144). What two of them carry is not public; see docs/dev/model.md.
 */
#include "model/vgpu.h"
#include "model/vgpu_heap.h"
#include "model/vf.h"

enum {
	MSG_VERSION_NEGOTIATION = 1,
	MSG_SETUP_CONFIG_AND_INIT,
	MSG_RESET,
	MSG_STOP_WORK,
	MSG_CANCEL_STOP,
	MSG_SAVE_STATE,
	MSG_CANCEL_SAVE,
	MSG_RESTORE_STATE,
	MSG_RESTORE_DEFERRED_STATE,
	MSG_RESUME_WORK,
	MSG_CONSOLE_VNC_STATE,
	MSG_VF_BAR0_REG_ACCESS,
	MSG_UPDATE_BME_STATE,
	MSG_GET_GUEST_INFO,
};

/* The model's own numbers: what NVIDIA's firmware says is not public. */
#define VERSION_OWN 0x1a

/* The model's own layouts. */
#define REG_OFFSET   0
#define REG_WRITE    4
#define REG_VALUE    8
#define INFO_LOADED  0
#define INFO_OS	     4
#define INFO_FB_USED 8

void model_vgpu_write_magic(GpuModel *m, struct vgpu *v)
{
	v->sequence = VGPU_BOOTLOADED;
	stl_le_p(m->fb + v->heap + v->ctrl + CTRL_SEQUENCE, VGPU_BOOTLOADED);
}

static uint32_t negotiate(GpuModel *m, struct vgpu *v, uint8_t *data)
{
	uint32_t version = get32(data);

	/* The driver of the patches sends none: it takes what there is. */
	if (version && version < m->vgpu_version_min)
		return NV_ERR_VERSION_MISMATCH;
	v->negotiated = true;
	stl_le_p(data + 4, version ? MIN(version, VERSION_OWN) : VERSION_OWN);
	return NV_OK;
}

static uint32_t configure(GpuModel *m, uint32_t gfid, struct vgpu *v,
			  const uint8_t *data)
{
	const char *why;

	if (!v->negotiated || v->configured)
		return NV_ERR_INVALID_STATE;
	why = model_vgpu_configure(m, v, data);
	if (why) {
		model_refuse(m, "vgpu", "configuration of gfid %u: %s", gfid,
			     why);
		return NV_ERR_INVALID_ARGUMENT;
	}
	v->configured = true;
	return NV_OK;
}

void model_vgpu_may_work(GpuModel *m, uint32_t gfid)
{
	ModelVf *vf = model_vf_of(m, gfid);

	if (vf && model_vf_may_master(vf))
		model_vf_regs_resume(vf);
}

static uint32_t access_register(GpuModel *m, uint32_t gfid, uint8_t *data)
{
	ModelVf *vf = model_vf_of(m, gfid);
	uint32_t reg = get32(data + REG_OFFSET);

	if (!vf)
		return NV_ERR_INVALID_STATE;
	if (reg % 4 || reg >= VF_BAR0_BYTES)
		return NV_ERR_INVALID_ARGUMENT;
	if (get32(data + REG_WRITE))
		model_vf_regs_write(vf, reg, get32(data + REG_VALUE));
	else
		stl_le_p(data + REG_VALUE, model_vf_regs_read(vf, reg));
	return NV_OK;
}

/* The result of one message: a status, 0 when it was done. */
static uint32_t message(GpuModel *m, uint32_t gfid, uint32_t type, uint8_t *data)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (type == MSG_VERSION_NEGOTIATION)
		return negotiate(m, v, data);
	if (type == MSG_SETUP_CONFIG_AND_INIT)
		return configure(m, gfid, v, data);
	if (!v->configured)
		return type < MSG_RESET || type > MSG_GET_GUEST_INFO
			       ? NV_ERR_NOT_SUPPORTED
			       : NV_ERR_INVALID_STATE;
	switch (type) {
	case MSG_RESET:
		model_vgpu_migrate(m, gfid, VGPU_MIGRATE_FORGET);
		model_vgpu_forget_guest(m, gfid);
		/* As any function that is reset. */
		v->bus_master = false;
		model_vgpu_may_work(m, gfid);
		return NV_OK;
	case MSG_STOP_WORK:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_STOP);
	case MSG_CANCEL_STOP:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_CANCEL_STOP);
	case MSG_SAVE_STATE:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_SAVE);
	case MSG_CANCEL_SAVE:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_CANCEL_SAVE);
	case MSG_RESTORE_STATE:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_RESTORE);
	case MSG_RESTORE_DEFERRED_STATE:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_RESTORE_END);
	case MSG_RESUME_WORK:
		return model_vgpu_migrate(m, gfid, VGPU_MIGRATE_RESUME);
	case MSG_VF_BAR0_REG_ACCESS:
		return access_register(m, gfid, data);
	case MSG_UPDATE_BME_STATE:
		if (data[0] > 1)
			return NV_ERR_INVALID_ARGUMENT;
		v->bus_master = data[0];
		model_vgpu_may_work(m, gfid);
		data[1] = 1; /* it was allowed */
		return NV_OK;
	case MSG_GET_GUEST_INFO:
		stl_le_p(data + INFO_LOADED, v->guest.driver_loaded);
		stl_le_p(data + INFO_OS, v->guest.os);
		stl_le_p(data + INFO_FB_USED, v->guest.fb_used / MiB);
		return NV_OK;
	}
	/* MSG_CONSOLE_VNC_STATE too: there are no displays. */
	return NV_ERR_NOT_SUPPORTED;
}

/* The guest's system stands in the response buffer as well. */
void model_vgpu_show_guest(GpuModel *m, struct vgpu *v)
{
	if (v->response)
		stl_le_p(m->fb + v->heap + v->response + RESP_GUEST_OS,
			 v->guest.os);
}

static void put_answer(GpuModel *m, struct vgpu *v, uint32_t result)
{
	uint8_t *out = m->fb + v->heap + v->response;

	stl_le_p(out + RESP_RESULT, result);
	stl_le_p(out + RESP_PROCESSED, v->sequence);
}

/* Over what the host may have written there since: its next message. */
void model_vgpu_answer_late(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	const uint8_t *ctrl = m->fb + v->heap + v->ctrl;
	uint32_t sequence = get32(ctrl + CTRL_SEQUENCE);

	v->is_late = false;
	if (sequence != v->sequence)
		model_refuse(m, "vgpu",
			     "gfid %u: message %u before the answer to %u",
			     gfid, sequence, v->sequence);
	memcpy(m->fb + v->heap + v->message, v->late_data, VGPU_PAGE);
	put_answer(m, v, v->late_result);
}

static bool pages_meet(uint64_t a, uint64_t b)
{
	return a < b + VGPU_PAGE && b < a + VGPU_PAGE;
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
	    data > v->heap_bytes - VGPU_PAGE || pages_meet(v->ctrl, response) ||
	    pages_meet(v->ctrl, data) || pages_meet(response, data)) {
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
	v->response = response;
	v->message = data;
	stl_le_p(m->fb + v->heap + response + RESP_RECEIVED, sequence);
	v->messages++;
	if (model_fault_strikes_vgpu(m, FAULT_VGPU_CRASH_AT, gfid, v->messages,
				     NULL)) {
		model_vgpu_crash(m, gfid);
		return;
	}
	if (model_fault_strikes_vgpu(m, FAULT_VGPU_NO_ANSWER, gfid, v->messages,
				     NULL))
		return;
	v->is_late = model_fault_strikes_vgpu(m, FAULT_VGPU_LATE_ANSWER, gfid,
					      v->messages, NULL);
	out = m->fb + v->heap + data;
	if (v->is_late)
		out = memcpy(v->late_data, out, VGPU_PAGE);
	result = message(m, gfid, type, out);
	if (result)
		model_refuse(m, "vgpu", "gfid %u: message of type %u: %x", gfid,
			     type, result);
	v->late_result = result;
	if (!v->is_late)
		put_answer(m, v, result);
}
