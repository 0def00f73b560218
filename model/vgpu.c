// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firmware's vGPU tasks, as the PF's driver sees them: booted with a VF's
 * memory and channels, spoken to through a heap in VRAM and a doorbell, shut
 * down. Controls: OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/
 * ctrl2080vgpumgrinternal.h; doorbell: src/nvidia/interface/nv_sriov_defines.h
 * (tag 570.144); the heap's layout: "RFC v2 nvidia-vgpu" on the kvm list, patch 10.
 */
#include "model/vgpu.h"
#include "model/rpc.h"

#include "hw/pci/pcie_sriov.h"

#define BOOT_DBDF      0
#define BOOT_GFID      4
#define BOOT_CHANNELS  20
#define BOOT_CHIDS     28
#define BOOT_ENGINES   0x54
#define BOOT_SEGMENTS  368
#define BOOT_FB_START  376
#define BOOT_FB_BYTES  3448
#define BOOT_HEAP      6520
#define BOOT_HEAP_SIZE 6528
#define BOOT_CTRL      6536
#define BOOT_LOGS      6544 /* of init task, vGPU task, kernel: offset, size */
#define BOOT_LOG_COUNT 3
#define SEGMENTS_MAX   384
#define VMMU_SEGMENT   (128 * MiB)
#define CHID_COUNT     2048
/* Of the heap, what both sides use; the task's own heap begins there. */
#define HEAP_SHARED 0x274000
#define PAGE	    4096

#define CTRL_VERSION   0
#define CTRL_TYPE      4
#define CTRL_SEQUENCE  8
#define CTRL_RESPONSE  16
#define CTRL_MESSAGE   24
#define CTRL_V1	       1
#define BOOTLOADED     0x4e654a6f
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

#define DOORBELL_PLUGIN 17 /* LEAF_VF_CPU_PLUGIN */
#define DOORBELL_BITS	32

enum { NOTIFY_BOOTLOADED, NOTIFY_UNLOADED, NOTIFY_CRASHED };

#define BOOT_NS	  (5 * SCALE_MS)
#define ANSWER_NS (50 * SCALE_US)

static void work(void *opaque);

static void schedule(GpuModel *m, int64_t ns)
{
	if (!m->vgpu_timer)
		m->vgpu_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, work, m);
	if (!timer_pending(m->vgpu_timer))
		timer_mod(m->vgpu_timer,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns);
}

static struct vgpu *of_gfid(GpuModel *m, uint32_t gfid)
{
	return gfid >= 1 && gfid <= SRIOV_TOTAL_VFS ? &m->vgpu[gfid - 1] : NULL;
}

static void notify(GpuModel *m, uint32_t gfid, uint32_t index)
{
	uint8_t event[8];

	stl_le_p(event, gfid);
	stl_le_p(event + 4, index);
	model_msgq_send(m, RPC_EVENT_VGPU_GSP_PLUGIN_TRIGGERED, 0, 0, event,
			sizeof(event));
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

/* Whether a range is in the memory of a vGPU. */
static bool belongs_to(const struct vgpu *v, uint64_t start, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < v->segments; i++)
		if (overlap(start, bytes, v->fb_start[i], v->fb_bytes[i]))
			return true;
	return overlap(start, bytes, v->heap, v->heap_bytes);
}

static const char *take_memory(GpuModel *m, struct vgpu *v, const uint8_t *params)
{
	unsigned int i;

	v->segments = get32(params + BOOT_SEGMENTS);
	if (!v->segments || v->segments > SEGMENTS_MAX)
		return "not 1 to 384 segments";
	for (i = 0; i < v->segments; i++) {
		v->fb_start[i] = ldq_le_p(params + BOOT_FB_START + i * 8);
		v->fb_bytes[i] = ldq_le_p(params + BOOT_FB_BYTES + i * 8);
		if (!v->fb_bytes[i] || v->fb_start[i] % VMMU_SEGMENT ||
		    v->fb_bytes[i] % VMMU_SEGMENT)
			return "a segment is not of whole VMMU segments";
		if (v->fb_start[i] > m->rsvd_start ||
		    v->fb_bytes[i] > m->rsvd_start - v->fb_start[i])
			return "a segment is not in usable VRAM";
	}
	v->heap = ldq_le_p(params + BOOT_HEAP);
	v->heap_bytes = ldq_le_p(params + BOOT_HEAP_SIZE);
	if (v->heap % PAGE || v->heap_bytes <= HEAP_SHARED ||
	    v->heap > m->rsvd_start || v->heap_bytes > m->rsvd_start - v->heap)
		return "the heap is misaligned, too small or not in usable VRAM";
	v->ctrl = ldq_le_p(params + BOOT_CTRL);
	if (v->ctrl % PAGE || v->ctrl > v->heap_bytes - PAGE)
		return "the control buffer is not in the heap";
	for (i = 0; i < BOOT_LOG_COUNT; i++) {
		uint64_t start = ldq_le_p(params + BOOT_LOGS + i * 16);
		uint64_t bytes = ldq_le_p(params + BOOT_LOGS + i * 16 + 8);

		/* Called offsets, they are addresses in VRAM. */
		if (start < v->heap || bytes > v->heap_bytes ||
		    start - v->heap > v->heap_bytes - bytes)
			return "a log is not in the heap";
	}
	for (i = 0; i < v->segments; i++)
		if (overlap(v->heap, v->heap_bytes, v->fb_start[i],
			    v->fb_bytes[i]))
			return "the heap is in the guest's memory";
	return NULL;
}

static const char *take_channels(struct vgpu *v, const uint8_t *params)
{
	unsigned int i;

	v->channels = get32(params + BOOT_CHANNELS);
	if (!is_power_of_2(v->channels) || v->channels > CHID_COUNT)
		return "the number of channels is not a power of two";
	for (i = 0; i < BOOT_ENGINES; i++) {
		uint32_t first = get32(params + BOOT_CHIDS + i * 4);

		if (!first)
			continue;
		if (v->first_channel && first != v->first_channel)
			return "the channels differ from engine to engine";
		v->first_channel = first;
	}
	if (!v->first_channel || v->first_channel > CHID_COUNT - v->channels)
		return "the channels are not within 2048";
	return NULL;
}

static const char *check_others(GpuModel *m, const struct vgpu *v)
{
	unsigned int i, j;

	for (i = 0; i < SRIOV_TOTAL_VFS; i++) {
		const struct vgpu *o = &m->vgpu[i];

		if (o->state == VGPU_NONE)
			continue;
		if (overlap(v->first_channel, v->channels, o->first_channel,
			    o->channels))
			return "another vGPU has these channels";
		if (belongs_to(o, v->heap, v->heap_bytes))
			return "another vGPU has the heap's memory";
		for (j = 0; j < v->segments; j++)
			if (belongs_to(o, v->fb_start[j], v->fb_bytes[j]))
				return "another vGPU has this memory";
	}
	return NULL;
}

uint32_t model_vgpu_bootload(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	uint32_t gfid = get32(params + BOOT_GFID);
	struct vgpu *slot = of_gfid(m, gfid);
	g_autofree struct vgpu *v = g_new0(struct vgpu, 1);
	uint32_t devfn = m->pci.devfn + SRIOV_VF_OFFSET + (gfid - 1);
	const char *why = NULL;

	v->dbdf = get32(params + BOOT_DBDF);
	if (!m->sriov_mode)
		why = "the firmware was not booted with RMSetSriovMode";
	else if (!slot || gfid > pcie_sriov_num_vfs(&m->pci))
		why = "the VF is not enabled";
	else if (slot->state != VGPU_NONE)
		why = "the VF has a task, or one to be cleaned up";
	else if ((v->dbdf & 0xffff) != (pci_dev_bus_num(&m->pci) << 8 | devfn))
		why = "this is not the VF's address";
	if (!why)
		why = take_memory(m, v, params);
	if (!why)
		why = take_channels(v, params);
	if (!why)
		why = check_others(m, v);
	if (why) {
		model_refuse(m, "vgpu", "bootload of gfid %u: %s", gfid, why);
		return NV_ERR_INVALID_ARGUMENT;
	}
	*slot = *v;
	slot->state = VGPU_BOOTING;
	model_log(m, "vgpu", "gfid %u boots, %u channels from %u", gfid,
		  v->channels, v->first_channel);
	schedule(m, BOOT_NS);
	return NV_OK;
}

uint32_t model_vgpu_shutdown(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	struct vgpu *v = of_gfid(m, get32(params));

	if (!v || v->state == VGPU_NONE)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (v->state != VGPU_DOWN)
		notify(m, get32(params), NOTIFY_UNLOADED);
	v->state = VGPU_DOWN;
	return NV_OK;
}

uint32_t model_vgpu_cleanup(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	struct vgpu *v = of_gfid(m, get32(params));

	if (!v || v->state == VGPU_NONE)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (v->state != VGPU_DOWN)
		return NV_ERR_INVALID_STATE;
	memset(v, 0, sizeof(*v));
	model_log(m, "vgpu", "gfid %u is cleaned up", get32(params));
	return NV_OK;
}

#define TYPES_COUNT_AT 4
#define TYPES_MAX      64

/* Types are signed, and their signatures NVIDIA's: they are only counted. */
uint32_t model_vgpu_add_types(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params)
{
	uint32_t count = get32(params + TYPES_COUNT_AT);

	if (count > TYPES_MAX)
		return NV_ERR_INVALID_ARGUMENT;
	model_log(m, "vgpu", "%u vGPU types", count);
	return NV_OK;
}

/* The result of one message: a status, 0 when it was done. */
static uint32_t message(GpuModel *m, struct vgpu *v, uint32_t type, uint8_t *data)
{
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
		v->bus_master = data[0];
		data[1] = 1; /* it was allowed */
		return NV_OK;
	}
	return NV_ERR_NOT_SUPPORTED;
}

static void answer(GpuModel *m, uint32_t gfid, struct vgpu *v)
{
	const uint8_t *ctrl = m->fb + v->heap + v->ctrl;
	uint32_t version = get32(ctrl + CTRL_VERSION);
	uint32_t type = get32(ctrl + CTRL_TYPE);
	uint32_t sequence = get32(ctrl + CTRL_SEQUENCE), result;
	uint64_t response = ldq_le_p(ctrl + CTRL_RESPONSE);
	uint64_t data = ldq_le_p(ctrl + CTRL_MESSAGE);
	uint8_t *out;

	if (version != CTRL_V1 || response % 8 || data % 8 ||
	    response > v->heap_bytes - PAGE || data > v->heap_bytes - PAGE) {
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
	result = message(m, v, type, m->fb + v->heap + data);
	if (result)
		model_refuse(m, "vgpu", "gfid %u: message of type %u: %x", gfid,
			     type, result);
	stl_le_p(out + RESP_RESULT, result);
	stl_le_p(out + RESP_PROCESSED, sequence);
}

static void work(void *opaque)
{
	GpuModel *m = opaque;
	unsigned int i;

	for (i = 0; i < SRIOV_TOTAL_VFS && m->rm_running; i++) {
		struct vgpu *v = &m->vgpu[i];

		if (v->state == VGPU_BOOTING) {
			v->state = VGPU_UP;
			v->sequence = BOOTLOADED;
			stl_le_p(m->fb + v->heap + v->ctrl + CTRL_SEQUENCE,
				 BOOTLOADED);
			notify(m, i + 1, NOTIFY_BOOTLOADED);
		} else if (v->state == VGPU_UP && v->rung) {
			v->rung = false;
			answer(m, i + 1, v);
		}
	}
}

void model_vgpu_doorbell(GpuModel *m, uint32_t value)
{
	struct vgpu *v = of_gfid(m, value / DOORBELL_BITS);

	if (value % DOORBELL_BITS != DOORBELL_PLUGIN || !v ||
	    v->state != VGPU_UP) {
		model_refuse(m, "vgpu",
			     "doorbell %x, for which there is no task", value);
		return;
	}
	v->rung = true;
	schedule(m, ANSWER_NS);
}

bool model_vgpu_crash(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = of_gfid(m, gfid);

	if (!v || v->state != VGPU_UP)
		return false;
	v->state = VGPU_DOWN;
	notify(m, gfid, NOTIFY_CRASHED);
	return true;
}

void model_vgpu_finish(GpuModel *m)
{
	if (m->vgpu_timer)
		timer_del(m->vgpu_timer);
	memset(m->vgpu, 0, sizeof(struct vgpu) * SRIOV_TOTAL_VFS);
}
