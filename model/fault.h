/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand: what a test makes the GPU do wrong. */
#ifndef VGPU_MODEL_FAULT_H
#define VGPU_MODEL_FAULT_H

enum fault_kind {
	FAULT_NONE,
	FAULT_NO_REPLY,
	FAULT_LATE_REPLY,
	FAULT_BAD_SEQUENCE,
	FAULT_BAD_CHECKSUM,
	FAULT_TRUNCATED,
	FAULT_OVERLONG,
	FAULT_LONGER,
	FAULT_SHORTER,
	FAULT_ERROR_STATUS,
	FAULT_CRASH,
	FAULT_BUS_LOST,
	FAULT_PULLED,
	FAULT_RC_ERROR,
	FAULT_XID,
	FAULT_VGPU_CRASH,
	FAULT_VGPU_NO_BOOT,
	FAULT_VGPU_BOOT_ERROR,
	FAULT_VGPU_CRASH_AT,
	FAULT_VGPU_NO_ANSWER,
	FAULT_VGPU_LATE_ANSWER,
	FAULT_VGPU_LATE_SHUTDOWN,
	FAULT_VGPU_LATE_CLEANUP,
	FAULT_VGPU_REFUSED_SHUTDOWN,
	FAULT_VGPU_REFUSED_CLEANUP,
	FAULT_CRASH_NOW,
	FAULT_NEEDLESS_MSI,
	FAULT_COPY,
	FAULT_COPY_HANG,
	FAULT_MAX
};

struct fault {
	enum fault_kind kind;
	/* What a fault is told beside its kind; see docs/dev/model.md. */
	uint32_t function; /* of the call or event that it strikes, 0: any */
	uint32_t count;	   /* how many times more */
};

#endif
