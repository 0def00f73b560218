/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VF through VFIO, as a VMM has it. What fails ends the program, see check.h. */
#ifndef VGPU_TESTS_VFIO_VF_H
#define VGPU_TESTS_VFIO_VF_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#define VECTORS 6	   /* of the model's VFs */
#define IOVA	0x10000000 /* where its user's memory is */

struct vf {
	const char *address;
	int container, group, device;
	struct vfio_region_info region[VFIO_PCI_NUM_REGIONS];
	volatile uint32_t *bar0;
	volatile uint8_t *bar1;
};

/* 0, or a negative errno where the VF's group or the VF is not to be had. */
int vf_try_open(struct vf *vf, const char *address);
void vf_open(struct vf *vf, const char *address);
void vf_close(struct vf *vf);

void *vf_mmap(struct vf *vf, unsigned int region, uint64_t at, uint64_t bytes);
uint32_t vf_config(struct vf *vf, uint32_t at, unsigned int bytes);
void vf_set_config(struct vf *vf, uint32_t at, unsigned int bytes,
		   uint32_t value);
/* Where a capability is; 0: it has none of this kind. */
uint32_t vf_capability(struct vf *vf, uint8_t id);
/* Have events (eventfds) signalled by interrupts; with -1 for what has none. */
int vf_set_irqs(struct vf *vf, uint32_t index, const int32_t *events,
		uint32_t count);
/* Whether an event was signalled, or is in that time. */
bool vf_came(int event, int wait_ms);
int vf_map_dma(struct vf *vf, void *memory, uint64_t address, uint64_t bytes);
void vf_set_master(struct vf *vf, bool is_on);

/* Of a modelled VF, see model.h. */
uint32_t vf_rd(struct vf *vf, uint32_t reg);
void vf_wr(struct vf *vf, uint32_t reg, uint32_t value);
/* By its own DMA; its status. */
uint32_t vf_move(struct vf *vf, uint32_t command, uint64_t address, uint64_t fb,
		 uint32_t bytes);

#endif
