// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs of register accesses that the firmware has the driver run. */
#include "sequencer.h"

/* rpc_run_cpu_sequencer_v17_00: two words, a save area of 8, the commands. */
#define HEADER_WORDS 10
#define SAVE_WORDS   8

/* How many words follow the number of a command. */
static const u8 word_counts[VGPU_SEQUENCER_MAX] = {
	[VGPU_SEQUENCER_WRITE] = 2, [VGPU_SEQUENCER_MODIFY] = 3,
	[VGPU_SEQUENCER_POLL] = 5,  [VGPU_SEQUENCER_DELAY] = 1,
	[VGPU_SEQUENCER_STORE] = 2,
};

int vgpu_sequencer_init(struct vgpu_sequencer *sequencer, const u8 *payload,
			u32 bytes, u64 registers_bytes)
{
	u32 room, words;

	if (bytes < HEADER_WORDS * sizeof(u32))
		return -EBADMSG;
	room = bytes / (u32)sizeof(u32) - HEADER_WORDS;
	words = vgpu_get_le32(payload + 4);
	if (words > room || words >= vgpu_get_le32(payload))
		return -EBADMSG;
	*sequencer = (struct vgpu_sequencer){
		.commands = payload + HEADER_WORDS * sizeof(u32),
		.words = words,
		.registers_bytes = registers_bytes,
	};
	return 0;
}

static bool sequencer_is_register(const struct vgpu_sequencer *sequencer,
				  u32 address)
{
	return vgpu_is_aligned(address, sizeof(u32)) &&
	       vgpu_is_inside(address, sizeof(u32), sequencer->registers_bytes);
}

int vgpu_sequencer_next(struct vgpu_sequencer *sequencer,
			struct vgpu_sequencer_step *ret_step)
{
	struct vgpu_sequencer_step step = {};
	u32 left = sequencer->words - sequencer->at;
	u32 words[5] = {}, op, count, i;
	const u8 *p = sequencer->commands + (size_t)sequencer->at * sizeof(u32);

	if (left == 0)
		return -ENOENT;
	op = vgpu_get_le32(p);
	if (op >= VGPU_SEQUENCER_MAX)
		return -EBADMSG;
	count = word_counts[op];
	if (count > left - 1)
		return -EBADMSG;
	for (i = 0; i < count; i++)
		words[i] = vgpu_get_le32(p + (i + 1) * sizeof(u32));

	step.op = op;
	step.address = words[0];
	switch (step.op) {
	case VGPU_SEQUENCER_WRITE:
		step.value = words[1];
		break;
	case VGPU_SEQUENCER_MODIFY:
		step.mask = words[1];
		step.value = words[2];
		break;
	case VGPU_SEQUENCER_POLL:
		step.mask = words[1];
		step.value = words[2];
		/* Without a time of its own a poll has the longest. */
		step.us = words[3] ? words[3] : VGPU_SEQUENCER_US_MAX;
		break;
	case VGPU_SEQUENCER_DELAY:
		step.address = 0;
		step.us = words[0];
		break;
	case VGPU_SEQUENCER_STORE:
		if (words[1] >= SAVE_WORDS)
			return -EBADMSG;
		break;
	default:
		break;
	}
	if (!sequencer_is_register(sequencer, step.address) ||
	    step.us > VGPU_SEQUENCER_US_MAX)
		return -EBADMSG;
	sequencer->at += 1 + count;
	*ret_step = step;
	return 0;
}
