/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of register accesses that the firmware has the driver run. */
#ifndef VGPU_KERNEL_CORE_PURE_SEQUENCER_H
#define VGPU_KERNEL_CORE_PURE_SEQUENCER_H

#include "port.h"

enum vgpu_sequencer_op {
	VGPU_SEQUENCER_WRITE,
	VGPU_SEQUENCER_MODIFY,
	VGPU_SEQUENCER_POLL,
	VGPU_SEQUENCER_DELAY,
	VGPU_SEQUENCER_STORE,
	VGPU_SEQUENCER_CORE_RESET,
	VGPU_SEQUENCER_CORE_START,
	VGPU_SEQUENCER_CORE_WAIT_HALT,
	VGPU_SEQUENCER_CORE_RESUME,
	VGPU_SEQUENCER_MAX,
};

/* No poll or delay of the firmware's is longer. */
#define VGPU_SEQUENCER_US_MAX 4000000

struct vgpu_sequencer_step {
	enum vgpu_sequencer_op op;
	u32 address; /* inside the registers, of a whole word */
	u32 mask;
	u32 value;
	u32 us;
};

struct vgpu_sequencer {
	const u8 *commands;
	u32 words;
	u32 at;
	u64 registers_bytes;
};

/* @payload of the firmware's event; -EBADMSG: it has no program. */
int vgpu_sequencer_init(struct vgpu_sequencer *sequencer, const u8 *payload,
			u32 bytes, u64 registers_bytes);

/*
 * The next step. -ENOENT: there is none; -EBADMSG: it is not known, not whole,
 * not inside the registers, or takes too long.
 */
int vgpu_sequencer_next(struct vgpu_sequencer *sequencer,
			struct vgpu_sequencer_step *ret_step);

#endif
