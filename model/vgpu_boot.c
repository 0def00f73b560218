// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a vGPU's task is booted with: its VF, its memory, its channels, each checked
 * against VRAM and the other vGPUs. OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/
 * ctrl2080vgpumgrinternal.h; what NVIDIA's own driver checks before it sends them:
 * src/nvidia/src/kernel/virtualization/kernel_hostvgpudeviceapi.c (tag 570.144).
 */
#include "model/vgpu.h"
#include "model/host.h"

#include "hw/pci/pcie_sriov.h"

#define BOOT_DBDF	     0
#define BOOT_TYPE	     8
#define BOOT_VM_PID	     12
#define BOOT_CHANNELS	     20
#define BOOT_PLUGIN_CHANNELS 24
#define BOOT_CHIDS	     28
#define BOOT_ENGINES	     0x54
#define BOOT_SEGMENTS	     368
#define BOOT_FB_START	     376
#define BOOT_FB_BYTES	     3448
#define BOOT_HEAP	     6520
#define BOOT_HEAP_SIZE	     6528
#define BOOT_CTRL	     6536
#define BOOT_LOGS	     6544 /* init task, vGPU task, kernel: offset, size */
#define BOOT_LOG_COUNT	     3
#define CHID_COUNT	     2048
#define ENGINE_TYPE_GRAPHICS 1 /* NV2080_ENGINE_TYPE_GR0 */
/* Of the heap, what both sides use; the task's own heap begins there. */
#define HEAP_SHARED 0x274000

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
	unsigned int i, j;

	v->segments = get32(params + BOOT_SEGMENTS);
	if (!v->segments || v->segments > VGPU_SEGMENTS_MAX)
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
		for (j = 0; j < i; j++)
			if (overlap(v->fb_start[i], v->fb_bytes[i],
				    v->fb_start[j], v->fb_bytes[j]))
				return "two of its segments overlap";
		v->fb_total += v->fb_bytes[i];
	}
	v->heap = ldq_le_p(params + BOOT_HEAP);
	v->heap_bytes = ldq_le_p(params + BOOT_HEAP_SIZE);
	if (v->heap % VGPU_PAGE || v->heap_bytes <= HEAP_SHARED ||
	    v->heap > m->rsvd_start || v->heap_bytes > m->rsvd_start - v->heap)
		return "the heap is misaligned, too small or not in usable VRAM";
	v->ctrl = ldq_le_p(params + BOOT_CTRL);
	if (v->ctrl % VGPU_PAGE || v->ctrl > v->heap_bytes - VGPU_PAGE)
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

/* Of every engine the same ones; a power of two, at a multiple of itself. */
static const char *take_channels(GpuModel *m, struct vgpu *v,
				 const uint8_t *params)
{
	unsigned int i;
	GList *l;

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
	if (v->first_channel % v->channels)
		return "the channels do not begin at a multiple of their number";
	if (!get32(params + BOOT_CHIDS + ENGINE_TYPE_GRAPHICS * 4))
		return "there are no channels of the graphics engine";
	if (!v->plugin_channels || v->plugin_channels > v->channels)
		return "its task has no channels, or more than there are";
	for (l = m->channels; l; l = l->next) {
		const struct channel *c = l->data;

		if (overlap(v->first_channel, v->channels, c->chid, 1))
			return "a channel of the host's is among them";
	}
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

const char *model_vgpu_take(GpuModel *m, struct vgpu *v, uint32_t gfid,
			    const uint8_t *params)
{
	const struct vgpu *slot = model_vgpu_of(m, gfid);
	uint32_t devfn = m->pci.devfn + SRIOV_VF_OFFSET + (gfid - 1);
	const char *why;

	v->dbdf = get32(params + BOOT_DBDF);
	v->type = get32(params + BOOT_TYPE);
	v->vm_pid = get32(params + BOOT_VM_PID);
	v->plugin_channels = get32(params + BOOT_PLUGIN_CHANNELS);
	if (!m->sriov_mode)
		return "the firmware was not booted with RMSetSriovMode";
	if (!slot || gfid > pcie_sriov_num_vfs(&m->pci))
		return "the VF is not enabled";
	if (slot->state != VGPU_NONE)
		return "the VF has a task, or one to be cleaned up";
	if ((v->dbdf & 0xffff) != (pci_dev_bus_num(&m->pci) << 8 | devfn))
		return "this is not the VF's address";
	why = take_memory(m, v, params);
	if (!why)
		why = take_channels(m, v, params);
	if (!why)
		why = check_others(m, v);
	if (!why)
		why = model_vgpu_check_type(m, v);
	return why;
}
