/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VF through VFIO, as a VMM has it. Whatever fails ends the program. */
#ifndef VGPU_TESTS_VFIO_VF_H
#define VGPU_TESTS_VFIO_VF_H

#include <errno.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB	1048576ULL
#define BARS	6
#define VECTORS 6 /* of the model's VFs */

struct vf {
	const char *address;
	int container, group, device;
	struct vfio_region_info region[VFIO_PCI_NUM_REGIONS];
	volatile uint32_t *bar0;
	volatile uint8_t *bar1;
};

#define FAIL(...)                                                              \
	do {                                                                   \
		printf("test: %s:%d: ", __FILE__, __LINE__);                   \
		printf(__VA_ARGS__);                                           \
		printf(" (errno %d)\n", errno);                                \
		exit(1);                                                       \
	} while (0)

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			FAIL("%s", #condition);                                \
	} while (0)

#define CHECK_EQUAL(have, want)                                                \
	do {                                                                   \
		unsigned long long have_ = (have), want_ = (want);             \
                                                                               \
		if (have_ != want_)                                            \
			FAIL("%s is %#llx, not %#llx", #have, have_, want_);   \
	} while (0)

/* An expression that fails, and so. */
#define CHECK_ERRNO(expression, number)                                        \
	do {                                                                   \
		errno = 0;                                                     \
		if ((long)(expression) != -1 || errno != (number))             \
			FAIL("%s is not -1, %d", #expression, number);         \
	} while (0)

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
int vf_map_dma(struct vf *vf, void *memory, uint64_t address, uint64_t bytes);

#endif
