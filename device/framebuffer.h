/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's framebuffer: its segments, mapped in one piece. */
#ifndef VGPU_DEVICE_FRAMEBUFFER_H
#define VGPU_DEVICE_FRAMEBUFFER_H

#include <stdint.h>

#include "device/slots.h"
#include "lib/err.h"

/*
 * Map the first @bytes of the @n segments of @segment_bytes each, whose files
 * are in VGPU_SLOT_SEGMENT and after, one after the other. No page is touched.
 */
int vgpu_framebuffer_map(const struct vgpu_slots *slots, uint32_t n,
			 uint64_t segment_bytes, uint64_t bytes,
			 void **ret_framebuffer, struct vgpu_err *err);
void vgpu_framebuffer_unmap(void *framebuffer, uint64_t bytes);

#endif
