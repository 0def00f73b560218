/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's framebuffer: the segments that it was given. */
#ifndef VGPU_DEVICE_FRAMEBUFFER_H
#define VGPU_DEVICE_FRAMEBUFFER_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/render/reserve.h"
#include "device/slots.h"
#include "lib/err.h"

struct vgpu_framebuffer {
	int *segment; /* fds of the slots */
	struct vgpu_reserve *reserve;
};

/*
 * Hold the first @bytes of the @n segments of @segment_bytes each, whose files
 * are in VGPU_SLOT_SEGMENT and after, to be exchanged for others.
 */
int vgpu_framebuffer_init(struct vgpu_framebuffer *framebuffer, sd_event *event,
			  const struct vgpu_slots *slots, uint32_t n,
			  uint64_t segment_bytes, uint64_t bytes,
			  struct vgpu_err *err);
void vgpu_framebuffer_finish(struct vgpu_framebuffer *framebuffer);

#endif
