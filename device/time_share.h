/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's share of a hardware GPU's time. */
#ifndef VGPU_DEVICE_TIME_SHARE_H
#define VGPU_DEVICE_TIME_SHARE_H

#include "device/slots.h"
#include "lib/err.h"
#include "lib/gpu_time.h"

/*
 * The page of its GPU time: a predecessor's, or a new one, whose memfd goes
 * into VGPU_SLOT_TIME. It is granted what @start says. NULL on a software GPU.
 * The mapping is the caller's.
 */
int vgpu_time_share_open(struct vgpu_slots *slots,
			 const struct vgpu_control_start *start,
			 struct vgpu_gpu_time **ret_time, struct vgpu_err *err);
/* Grant @share from now on; @time may be NULL. */
void vgpu_time_share_set(struct vgpu_gpu_time *time,
			 const struct vgpu_control_time *share);
/* What was used, for @figures; @time may be NULL. */
void vgpu_time_share_count(struct vgpu_gpu_time *time,
			   struct vgpu_figures *figures);

#endif
