// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on demand, by the property "fault" of the device, at its creation or
 * at any time by qom-set: KIND[:FUNCTION[:COUNT]], FUNCTION being the number of
 * the call (or event) whose message goes wrong, 0 any. At once come
 * "rc-error:GFID:CHID", "xid:NUMBER", "vgpu-crash:GFID", "crash-now",
 * "needless-msi" and "pulled". Of vGPUs' tasks it is KIND[:GFID[:NUMBER]], of
 * VRAM "copy:MIB[:COUNT]" and "copy-hang:MIB[:COUNT]".
 */
#include "model/model.h"
#include "model/rpc.h"
#include "model/vf.h"
#include "model/vgpu.h"

static const char *const kind_name[FAULT_MAX] = {
	[FAULT_NONE] = "none",
	[FAULT_NO_REPLY] = "no-reply",
	[FAULT_LATE_REPLY] = "late-reply",
	[FAULT_BAD_SEQUENCE] = "bad-sequence",
	[FAULT_BAD_CHECKSUM] = "bad-checksum",
	[FAULT_TRUNCATED] = "truncated",
	[FAULT_OVERLONG] = "overlong",
	[FAULT_LONGER] = "longer",
	[FAULT_SHORTER] = "shorter",
	[FAULT_ERROR_STATUS] = "error-status",
	[FAULT_CRASH] = "crash",
	[FAULT_BUS_LOST] = "bus-lost",
	[FAULT_PULLED] = "pulled",
	[FAULT_RC_ERROR] = "rc-error",
	[FAULT_XID] = "xid",
	[FAULT_VGPU_CRASH] = "vgpu-crash",
	[FAULT_VGPU_NO_BOOT] = "vgpu-no-boot",
	[FAULT_VGPU_BOOT_ERROR] = "vgpu-boot-error",
	[FAULT_VGPU_CRASH_AT] = "vgpu-crash-at",
	[FAULT_VGPU_NO_ANSWER] = "vgpu-no-answer",
	[FAULT_VGPU_LATE_ANSWER] = "vgpu-late-answer",
	[FAULT_VGPU_LATE_SHUTDOWN] = "vgpu-late-shutdown",
	[FAULT_VGPU_LATE_CLEANUP] = "vgpu-late-cleanup",
	[FAULT_VGPU_REFUSED_SHUTDOWN] = "vgpu-no-shutdown",
	[FAULT_VGPU_REFUSED_CLEANUP] = "vgpu-no-cleanup",
	[FAULT_CRASH_NOW] = "crash-now",
	[FAULT_NEEDLESS_MSI] = "needless-msi",
	[FAULT_COPY] = "copy",
	[FAULT_COPY_HANG] = "copy-hang",
};

/* OGK src/nvidia/generated/g_rpc-structures.h, rpc_rc_triggered_v17_02. */
#define RC_TRIGGERED_BYTES 48
#define RC_ENGINE_GR0	   1
#define RC_TYPE_MMU_FAULT  31 /* ROBUST_CHANNEL_FIFO_ERROR_MMU_ERR_FLT */
#define RC_SCOPE_CHANNEL   1

static void send_rc_error(GpuModel *m, uint32_t gfid, uint32_t chid)
{
	uint8_t event[RC_TRIGGERED_BYTES] = {0};

	stl_le_p(event, RC_ENGINE_GR0);
	stl_le_p(event + 4, chid);
	stl_le_p(event + 8, gfid);
	stl_le_p(event + 16, RC_TYPE_MMU_FAULT);
	stl_le_p(event + 20, RC_SCOPE_CHANNEL);
	model_log(m, "fault", "RC error of channel %u, gfid %u", chid, gfid);
	model_msgq_send(m, RPC_EVENT_RC_TRIGGERED, 0, 0, event, sizeof(event));
}

/* rpc_os_error_log_v17_00: what a driver shows as Xid, with a text. */
#define ERROR_LOG_BYTES	     (12 + ERROR_LOG_TEXT_BYTES)
#define ERROR_LOG_TEXT_BYTES 0x100
#define ERROR_LOG_NO_CHANNEL 0xffffffff

static void send_xid(GpuModel *m, uint32_t number)
{
	uint8_t event[ERROR_LOG_BYTES] = {0};

	stl_le_p(event, number);
	stl_le_p(event + 4, ERROR_LOG_NO_CHANNEL); /* runlist */
	stl_le_p(event + 8, ERROR_LOG_NO_CHANNEL);
	g_snprintf((char *)event + 12, ERROR_LOG_TEXT_BYTES,
		   "Xid %u, on demand", number);
	model_log(m, "fault", "Xid %u", number);
	model_msgq_send(m, RPC_EVENT_OS_ERROR_LOG, 0, 0, event, sizeof(event));
}

static char *get_fault(Object *obj, Error **errp)
{
	return g_strdup(kind_name[MODEL_AD102(obj)->fault.kind]);
}

static void set_fault(Object *obj, const char *text, Error **errp)
{
	GpuModel *m = MODEL_AD102(obj);
	g_auto(GStrv) part = g_strsplit(text, ":", 3);
	uint32_t number[2] = {0, 1};
	struct fault fault = {0};
	unsigned int i;

	for (i = 0; i < FAULT_MAX && g_strcmp0(part[0], kind_name[i]); i++)
		;
	if (i == FAULT_MAX) {
		error_setg(errp, "there is no fault '%s'", text);
		return;
	}
	fault.kind = i;
	for (i = 0; i < 2 && part[1 + i]; i++) {
		if (qemu_strtoui(part[1 + i], NULL, 0, &number[i])) {
			error_setg(errp, "'%s' is no number", part[1 + i]);
			return;
		}
	}
	fault.function = number[0];
	fault.count = number[1];
	if (fault.kind == FAULT_RC_ERROR || fault.kind == FAULT_XID ||
	    fault.kind == FAULT_VGPU_CRASH || fault.kind == FAULT_CRASH_NOW) {
		if (!m->rm_running)
			error_setg(errp, "the firmware does not run");
		else if (fault.kind == FAULT_CRASH_NOW)
			model_gsp_crash(m);
		else if (fault.kind == FAULT_XID)
			send_xid(m, number[0]);
		else if (fault.kind == FAULT_RC_ERROR)
			send_rc_error(m, number[0], number[1]);
		else if (!model_vgpu_crash(m, number[0]))
			error_setg(errp, "that VF has no task");
		return;
	}
	if (fault.kind == FAULT_NEEDLESS_MSI) {
		if (!model_intr_disturb(m))
			error_setg(errp, "it has no MSI");
		return;
	}
	if (fault.kind == FAULT_PULLED) {
		model_pull(m);
		fault.kind = FAULT_BUS_LOST; /* until its slot has noticed */
	}
	m->fault = fault;
	/* Nothing of a GPU that fell off its bus is there. */
	for (i = 1; i <= SRIOV_TOTAL_VFS; i++)
		model_vf_show(m, i);
}

/* model_fault_strikes: whether this message is struck by this kind of fault. */
bool model_fault_strikes(GpuModel *m, enum fault_kind kind, uint32_t function)
{
	if (m->fault.kind != kind || !m->fault.count ||
	    (m->fault.function && m->fault.function != function))
		return false;
	m->fault.count--;
	model_log(m, "fault", "%s strikes function %u", kind_name[kind],
		  function);
	return true;
}

/*
 * model_fault_strikes_vgpu: the same of a vGPU's task, once. Of those that wait for
 * a message, @number is the message's; what was told with the others is given.
 */
bool model_fault_strikes_vgpu(GpuModel *m, enum fault_kind kind, uint32_t gfid,
			      uint32_t number, uint32_t *ret_told)
{
	struct fault *f = &m->fault;
	bool counts = kind == FAULT_VGPU_CRASH_AT ||
		      kind == FAULT_VGPU_NO_ANSWER ||
		      kind == FAULT_VGPU_LATE_ANSWER;

	if (f->kind != kind || (f->function && f->function != gfid) ||
	    (counts && f->count != number))
		return false;
	f->kind = FAULT_NONE;
	if (ret_told)
		*ret_told = f->count;
	model_log(m, "fault", "%s strikes gfid %u", kind_name[kind], gfid);
	return true;
}

/* model_fault_strikes_vram: whether engines cannot write there. */
bool model_fault_strikes_vram(GpuModel *m, uint64_t addr, uint64_t bytes)
{
	uint64_t start = m->fault.function * (uint64_t)MiB;

	return (m->fault.kind == FAULT_COPY || m->fault.kind == FAULT_COPY_HANG) &&
	       addr + bytes > start &&
	       addr < start + m->fault.count * (uint64_t)MiB;
}

void model_fault_add_property(ObjectClass *klass)
{
	object_class_property_add_str(klass, "fault", get_fault, set_fault);
	object_class_property_set_description(
		klass, "fault", "KIND[:FUNCTION[:COUNT]]: what goes wrong next");
}
