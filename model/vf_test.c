// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model's own service for tests in a guest, in a page of a VF's BAR0 where
 * NVIDIA has published nothing: what the vGPU is, a doorbell that is answered
 * by an interrupt, and bytes moved between its framebuffer and the guest's
 * memory. The vGPU's task does it: without one the page reads as all ones. The
 * registers are in docs/dev/model.md.
 */
#include "model/vf.h"
#include "model/vgpu.h"

#include "hw/pci/msix.h"

#define TEST_ID		0x00
#define TEST_STATUS	0x04
#define TEST_FB_MIB	0x08
#define TEST_CHANNELS	0x0c
#define TEST_DRIVER	0x10
#define TEST_GUEST_OS	0x14
#define TEST_FB_USED	0x18
#define TEST_DOORBELLS	0x20
#define TEST_TOKEN	0x24
#define TEST_INTERRUPTS 0x28
#define TEST_HELD	0x2c
#define TEST_RESETS	0x30
#define TEST_LOAD	0x34
#define TEST_DMA_ADDR	0x40
#define TEST_DMA_FB	0x48
#define TEST_DMA_BYTES	0x50
#define TEST_DMA_GO	0x54
#define TEST_DMA_STATUS 0x58

#define ID_VALUE 0x54534554 /* TEST */

#define STATUS_CONFIGURED 0x1
#define STATUS_BUS_MASTER 0x2
#define STATUS_DRIVER	  0x4

enum { DMA_TO_FB = 1, DMA_TO_MEMORY = 2 };
enum { DMA_DONE = 1, DMA_NO_BUS_MASTER, DMA_BAD_RANGE, DMA_NO_MEMORY };
#define DMA_BYTES_MAX (1 * MiB)

/* An interrupt; held back while the host's driver or the firmware says so. */
void model_vf_test_raise(ModelVf *vf, unsigned int vector)
{
	if (!model_vf_may_master(vf)) {
		vf->state.held |= 1u << vector;
		return;
	}
	if (!msix_enabled(&vf->pci))
		return;
	vf->state.interrupts++;
	msix_notify(&vf->pci, vector);
}

void model_vf_test_doorbell(ModelVf *vf, uint32_t token)
{
	if (!model_vgpu_serves(vf->m, vf->gfid)) {
		model_unmodelled(vf->m, vf->gfid, true, VF_USER_DOORBELL, token);
		return;
	}
	vf->state.doorbells++;
	vf->state.token = token;
	model_vf_test_raise(vf, token % VF_MSIX_VECTORS);
}

static uint32_t move(ModelVf *vf, uint32_t command)
{
	const struct vgpu *v = model_vgpu_of(vf->m, vf->gfid);
	struct vf_dma d = vf->state.dma;

	if (!model_vf_may_master(vf))
		return DMA_NO_BUS_MASTER;
	if ((command != DMA_TO_FB && command != DMA_TO_MEMORY) ||
	    d.bytes > DMA_BYTES_MAX || d.fb > v->fb_total ||
	    d.bytes > v->fb_total - d.fb)
		return DMA_BAD_RANGE;
	while (d.bytes) {
		/* No part goes over the end of a segment. */
		uint32_t part = MIN(d.bytes, VMMU_SEGMENT - d.fb % VMMU_SEGMENT);
		uint64_t at;
		MemTxResult result;

		if (!model_vgpu_address(v, d.fb, &at))
			return DMA_BAD_RANGE;
		result = command == DMA_TO_FB
				 ? pci_dma_read(&vf->pci, d.addr,
						vf->m->fb + at, part)
				 : pci_dma_write(&vf->pci, d.addr,
						 vf->m->fb + at, part);
		if (result != MEMTX_OK)
			return DMA_NO_MEMORY;
		d.addr += part;
		d.fb += part;
		d.bytes -= part;
	}
	return DMA_DONE;
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? deposit64(*value, 32, 32, half)
		      : deposit64(*value, 0, 32, half);
}

uint32_t model_vf_test_read(ModelVf *vf, uint32_t offset)
{
	const struct vgpu *v = model_vgpu_of(vf->m, vf->gfid);
	const struct vf_state *s = &vf->state;

	if (!model_vgpu_serves(vf->m, vf->gfid))
		return UINT32_MAX;
	switch (offset) {
	case TEST_ID:
		return ID_VALUE;
	case TEST_STATUS:
		return (v->configured ? STATUS_CONFIGURED : 0) |
		       (v->bus_master ? STATUS_BUS_MASTER : 0) |
		       (v->guest.driver_loaded ? STATUS_DRIVER : 0);
	case TEST_FB_MIB:
		return v->fb_total / MiB;
	case TEST_CHANNELS:
		return v->channels;
	case TEST_DRIVER:
		return v->guest.driver_loaded;
	case TEST_GUEST_OS:
		return v->guest.os;
	case TEST_FB_USED:
		return v->guest.fb_used / MiB;
	case TEST_DOORBELLS:
		return s->doorbells;
	case TEST_TOKEN:
		return s->token;
	case TEST_INTERRUPTS:
		return s->interrupts;
	case TEST_HELD:
		return s->held;
	case TEST_RESETS:
		return v->resets;
	case TEST_LOAD:
		return v->guest.load;
	case TEST_DMA_ADDR:
		return (uint32_t)s->dma.addr;
	case TEST_DMA_ADDR + 4:
		return s->dma.addr >> 32;
	case TEST_DMA_FB:
		return (uint32_t)s->dma.fb;
	case TEST_DMA_FB + 4:
		return s->dma.fb >> 32;
	case TEST_DMA_BYTES:
		return s->dma.bytes;
	case TEST_DMA_STATUS:
		return s->dma.status;
	}
	return 0;
}

void model_vf_test_write(ModelVf *vf, uint32_t offset, uint32_t value)
{
	struct vf_dma *dma = &vf->state.dma;

	if (!model_vgpu_serves(vf->m, vf->gfid))
		return;
	switch (offset) {
	case TEST_DRIVER:
		model_vgpu_guest_driver(vf->m, vf->gfid, value & 1);
		return;
	case TEST_GUEST_OS:
		model_vgpu_guest_os(vf->m, vf->gfid, value);
		return;
	case TEST_FB_USED:
		model_vgpu_guest_fb(vf->m, vf->gfid, value * (uint64_t)MiB);
		return;
	case TEST_LOAD:
		model_vgpu_guest_load(vf->m, vf->gfid, value);
		return;
	case TEST_DMA_ADDR:
	case TEST_DMA_ADDR + 4:
		set_half(&dma->addr, offset != TEST_DMA_ADDR, value);
		return;
	case TEST_DMA_FB:
	case TEST_DMA_FB + 4:
		set_half(&dma->fb, offset != TEST_DMA_FB, value);
		return;
	case TEST_DMA_BYTES:
		dma->bytes = value;
		return;
	case TEST_DMA_GO:
		dma->status = move(vf, value);
		return;
	}
}
