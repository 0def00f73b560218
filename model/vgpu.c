// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of the firmware's vGPU tasks: booted with a VF's memory and channels,
 * rung for, shut down, cleaned up, or lost; and the events that the PF's driver
 * has of them. Controls: OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/
 * ctrl2080vgpumgrinternal.h; events: class/cla084_notification.h; doorbell:
 * src/nvidia/interface/nv_sriov_defines.h (tag 570.144).
 */
#include "model/vgpu.h"
#include "model/rpc.h"
#include "model/vf.h"

#define BOOT_GFID 4

#define DOORBELL_PLUGIN 17 /* LEAF_VF_CPU_PLUGIN */
#define DOORBELL_BITS	32

enum {
	NOTIFY_BOOTLOADED,
	NOTIFY_UNLOADED,
	NOTIFY_CRASHED,
	NOTIFY_DRIVER_LOADED,
	NOTIFY_DRIVER_UNLOADED,
	NOTIFY_GUEST_OS = 7,
};

#define BOOT_NS	  (5 * SCALE_MS)
#define ANSWER_NS (50 * SCALE_US)
#define LATE_NS	  (8ll * NANOSECONDS_PER_SECOND)

static void work(void *opaque);

/* The timer goes off when the first of the tasks has something to do. */
static void rearm(GpuModel *m)
{
	int64_t first = INT64_MAX;
	unsigned int i;

	for (i = 0; i < SRIOV_TOTAL_VFS; i++)
		if (m->vgpu[i].due)
			first = MIN(first, m->vgpu[i].due);
	if (first == INT64_MAX)
		return;
	if (!m->vgpu_timer)
		m->vgpu_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, work, m);
	timer_mod(m->vgpu_timer, first);
}

static void schedule(GpuModel *m, struct vgpu *v, int64_t ns)
{
	v->due = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns;
	rearm(m);
}

struct vgpu *model_vgpu_of(GpuModel *m, uint32_t gfid)
{
	return gfid >= 1 && gfid <= SRIOV_TOTAL_VFS ? &m->vgpu[gfid - 1] : NULL;
}

bool model_vgpu_serves(GpuModel *m, uint32_t gfid)
{
	return m->rm_running && m->fault.kind != FAULT_BUS_LOST &&
	       model_vgpu_of(m, gfid)->state == VGPU_UP;
}

bool model_vgpu_address(const struct vgpu *v, uint64_t at, uint64_t *ret_addr)
{
	unsigned int i;

	for (i = 0; i < v->segments; i++) {
		if (at < v->fb_bytes[i]) {
			*ret_addr = v->fb_start[i] + at;
			return true;
		}
		at -= v->fb_bytes[i];
	}
	return false;
}

static void notify(GpuModel *m, uint32_t gfid, uint32_t index)
{
	uint8_t event[8];

	stl_le_p(event, gfid);
	stl_le_p(event + 4, index);
	model_msgq_send(m, RPC_EVENT_VGPU_GSP_PLUGIN_TRIGGERED, 0, 0, event,
			sizeof(event));
}

uint32_t model_vgpu_bootload(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	uint32_t gfid = get32(params + BOOT_GFID);
	g_autofree struct vgpu *v = g_new0(struct vgpu, 1);
	const char *why = model_vgpu_take(m, v, gfid, params);
	struct vgpu *slot = model_vgpu_of(m, gfid);
	uint32_t status;

	if (why) {
		model_refuse(m, "vgpu", "bootload of gfid %u: %s", gfid, why);
		return NV_ERR_INVALID_ARGUMENT;
	}
	if (model_fault_strikes_vgpu(m, FAULT_VGPU_BOOT_ERROR, gfid, 0, &status))
		return status > 1 ? status : NV_ERR_GENERIC;
	*slot = *v;
	slot->state = VGPU_BOOTING;
	slot->encoder = VGPU_ENCODER_WHOLE;
	model_log(m, "vgpu",
		  "gfid %u boots: type %u, %" PRIu64 " MiB from %" PRIx64
		  ", %u channels from %u",
		  gfid, v->type, v->fb_total / MiB, v->fb_start[0], v->channels,
		  v->first_channel);
	if (!model_fault_strikes_vgpu(m, FAULT_VGPU_NO_BOOT, gfid, 0, NULL))
		schedule(m, slot, BOOT_NS);
	return NV_OK;
}

/* The reply to a control comes so many seconds later. */
static void be_late(GpuModel *m, enum fault_kind kind, uint32_t gfid)
{
	uint32_t seconds;

	if (model_fault_strikes_vgpu(m, kind, gfid, 0, &seconds))
		m->reply_ns = seconds * (int64_t)NANOSECONDS_PER_SECOND;
}

/* It serves no more; what it had stays its own until it is cleaned up. */
static void end(GpuModel *m, uint32_t gfid, uint32_t event)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	v->state = VGPU_DOWN;
	v->due = 0;
	model_vgpu_migrate(m, gfid, VGPU_MIGRATE_FORGET);
	model_vf_show(m, gfid);
	notify(m, gfid, event);
}

uint32_t model_vgpu_shutdown(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	uint32_t gfid = get32(params);
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (!v || v->state == VGPU_NONE)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (model_fault_strikes(m, FAULT_VGPU_REFUSED_SHUTDOWN, gfid))
		return NV_ERR_INVALID_STATE;
	be_late(m, FAULT_VGPU_LATE_SHUTDOWN, gfid);
	if (v->state != VGPU_DOWN)
		end(m, gfid, NOTIFY_UNLOADED);
	return NV_OK;
}

uint32_t model_vgpu_cleanup(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	struct vgpu *v = model_vgpu_of(m, get32(params));

	if (!v || v->state == VGPU_NONE)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (v->state != VGPU_DOWN ||
	    model_fault_strikes(m, FAULT_VGPU_REFUSED_CLEANUP, get32(params)))
		return NV_ERR_INVALID_STATE;
	be_late(m, FAULT_VGPU_LATE_CLEANUP, get32(params));
	memset(v, 0, sizeof(*v));
	model_log(m, "vgpu", "gfid %u is cleaned up", get32(params));
	return NV_OK;
}

static void step(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	int64_t again;

	if (v->state == VGPU_BOOTING &&
	    model_fault_strikes_vgpu(m, FAULT_VGPU_CRASH_AT, gfid, 0, NULL)) {
		end(m, gfid, NOTIFY_CRASHED);
	} else if (v->state == VGPU_BOOTING) {
		v->state = VGPU_UP;
		model_vgpu_write_magic(m, v);
		model_vf_show(m, gfid);
		notify(m, gfid, NOTIFY_BOOTLOADED);
	} else if (v->state == VGPU_UP && (v->rung || v->is_late)) {
		if (v->is_late)
			model_vgpu_answer_late(m, gfid);
		if (v->rung)
			model_vgpu_answer(m, gfid);
		v->rung = false;
	}
	/* Of the ring's offsets no doorbell tells. */
	again = v->state == VGPU_UP ? model_vgpu_pump(m, gfid) : 0;
	if (v->is_late)
		schedule(m, v, LATE_NS);
	else if (again)
		schedule(m, v, again);
}

static void work(void *opaque)
{
	GpuModel *m = opaque;
	int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
	uint32_t gfid;

	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++) {
		struct vgpu *v = model_vgpu_of(m, gfid);

		if (!v->due || v->due > now)
			continue;
		v->due = 0;
		if (m->rm_running)
			step(m, gfid);
	}
	rearm(m);
}

void model_vgpu_doorbell(GpuModel *m, uint32_t value)
{
	struct vgpu *v = model_vgpu_of(m, value / DOORBELL_BITS);

	if (value % DOORBELL_BITS != DOORBELL_PLUGIN || !v ||
	    v->state != VGPU_UP) {
		model_refuse(m, "vgpu",
			     "doorbell %x, for which there is no task", value);
		return;
	}
	v->rung = true;
	if (!v->is_late)
		schedule(m, v, ANSWER_NS);
}

bool model_vgpu_any(GpuModel *m)
{
	unsigned int i;

	for (i = 0; i < SRIOV_TOTAL_VFS; i++)
		if (m->vgpu[i].state != VGPU_NONE)
			return true;
	return false;
}

bool model_vgpu_crash(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (!v || v->state != VGPU_UP)
		return false;
	end(m, gfid, NOTIFY_CRASHED);
	return true;
}

void model_vgpu_finish(GpuModel *m)
{
	uint32_t gfid;

	if (m->vgpu_timer)
		timer_del(m->vgpu_timer);
	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++)
		model_vgpu_migrate(m, gfid, VGPU_MIGRATE_FORGET);
	memset(m->vgpu, 0, sizeof(struct vgpu) * SRIOV_TOTAL_VFS);
	model_vgpu_forget_use(m);
	m->vgpu_type_count = 0;
	m->vgpu_heterogeneous = m->vgpu_arr = false;
	m->vgpu_policy = m->vgpu_slice_ns = m->vgpu_arr_average = 0;
	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++)
		model_vf_show(m, gfid);
}

void model_vgpu_guest_driver(GpuModel *m, uint32_t gfid, bool loaded)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (!v->configured || v->guest.driver_loaded == loaded)
		return;
	v->guest.driver_loaded = loaded;
	notify(m, gfid, loaded ? NOTIFY_DRIVER_LOADED : NOTIFY_DRIVER_UNLOADED);
}

void model_vgpu_guest_os(GpuModel *m, uint32_t gfid, uint32_t os)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (!v->configured || v->guest.os == os)
		return;
	v->guest.os = os;
	model_vgpu_show_guest(m, v);
	notify(m, gfid, NOTIFY_GUEST_OS);
}

void model_vgpu_guest_fb(GpuModel *m, uint32_t gfid, uint64_t bytes)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (v->configured)
		v->guest.fb_used = MIN(bytes, v->fb_total);
}

void model_vgpu_forget_guest(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	model_vgpu_guest_driver(m, gfid, false);
	memset(&v->guest, 0, sizeof(v->guest));
	model_vgpu_show_guest(m, v);
}

void model_vgpu_was_reset(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);

	if (!model_vgpu_serves(m, gfid))
		return;
	v->resets++;
	model_vgpu_forget_guest(m, gfid);
}
