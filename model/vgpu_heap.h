/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of a vGPU's heap, what the host and the task both see: "RFC v2 nvidia-vgpu"
 * on the kvm list, patch 10 (for 570.144).
 */
#ifndef VGPU_MODEL_VGPU_HEAP_H
#define VGPU_MODEL_VGPU_HEAP_H

/* The control buffer, which the host writes. */
#define CTRL_VERSION	  0
#define CTRL_TYPE	  4
#define CTRL_SEQUENCE	  8
#define CTRL_RESPONSE	  16
#define CTRL_MESSAGE	  24
#define CTRL_MIGRATION	  32
#define CTRL_HOST_OFFSET  48 /* migration_buf_cpu_access_offset */
#define CTRL_IN_MIGRATION 52
#define CTRL_V1		  1

/* The response buffer, which the task writes. */
#define RESP_RECEIVED	 0
#define RESP_PROCESSED	 4
#define RESP_RESULT	 8
#define RESP_TASK_OFFSET 16 /* migration_buf_gsp_access_offset */
#define RESP_SAVED	 20 /* migration_state_save_complete */
#define RESP_GUEST_OS	 320

#define MIGRATION_RING (2 * MiB)

#endif
