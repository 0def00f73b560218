/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a vGPU type, each once. */
#ifndef VGPU_LIB_TYPE_FIELDS_H
#define VGPU_LIB_TYPE_FIELDS_H

/*
 * Rows, with commas between:
 * row(member, json, stored, min, max, fallback, about)
 *
 *   member    of struct vgpu_type, and the key in a types file
 *   json      its name for varlink clients
 *   stored    its name in a saved definition
 *   min, max  what a types file may say
 *   fallback  what it is where a types file or an older definition does not say
 *             it; 0: all say it. It cannot be 0 then: clients are not shown a 0
 *   about     the comment in the varlink interface
 *
 * Made of this: struct vgpu_type, the parser of types files (lib/type.c), saved
 * definitions (manager/vgpu/store.c), the answer to ListTypes and its interface
 * (manager/api/show.c, interface.c). tests/docs/test_tables.py says what else a
 * new row needs.
 */
// clang-format off
#define VGPU_TYPE_FIELDS(row)                                                  \
	row(framebuffer_mib, framebufferMib, framebufferMib,                   \
	    1, VGPU_TYPE_FRAMEBUFFER_MIB_MAX, 0,                               \
	    "Its framebuffer, in MiB"),                                        \
	row(heads, heads, maxHeads, 0, VGPU_HEADS_MAX, 0,                      \
	    "Virtual displays"),                                               \
	row(max_width, maxWidth, maxWidth, 0, VGPU_DIMENSION_MAX, 0,           \
	    "Largest resolution of one head, in pixels; 0 with no heads"),     \
	row(max_height, maxHeight, maxHeight, 0, VGPU_DIMENSION_MAX, 0,        \
	    "The same, its height"),                                           \
	row(frame_rate_limit, frameRateLimit, frameRateLimit,                  \
	    0, VGPU_TYPE_FRAME_RATE_MAX, 0,                                    \
	    "Frames a second, 0 for no limit"),                                \
	row(weight, weight, weight, 1, VGPU_TYPE_WEIGHT_MAX, 0,                \
	    "Share of the GPU's time against other vGPUs"),                    \
	row(host_memory_mib, hostMemoryMib, hostMemoryMib,                     \
	    VGPU_TYPE_HOST_MEMORY_MIB_MIN, VGPU_TYPE_HOST_MEMORY_MIB_MAX,      \
	    VGPU_TYPE_HOST_MEMORY_MIB_DEFAULT,                                 \
	    "What the contexts of one may take of the host's memory beyond the framebuffer, in MiB; not of types that a driver has")
// clang-format on

#endif
