/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests are told of positions. */
#ifndef VGPU_DEVICE_INPUT_ABI_H
#define VGPU_DEVICE_INPUT_ABI_H

/*
 * Positions of a tablet on each axis: 0 to VGPU_INPUT_RANGE - 1, over all
 * heads. At least as many as the pixels of as many heads as fit side by side
 * into 64 Ki, so that each pixel has a position of its own.
 */
#define VGPU_INPUT_RANGE 65536U

#endif
