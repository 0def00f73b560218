/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for the generated capset until that is merged. */
#include <stdint.h>

#include "device/vtest/capset.h"

struct vgpu_venus_capset {
	uint32_t word[VGPU_VENUS_CAPSET_BYTES / 4];
};

__attribute__((weak)) const struct vgpu_venus_capset vgpu_venus_capset = {
	.word = {1, 1 << 22 | 3 << 12, 1, 1, 1, 1, [37] = 1, [38] = 1},
};
