/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two queues between a CPU and a GSP, and both sides of them. */
#ifndef VGPU_TESTS_KERNEL_QUEUE_PAIR_H
#define VGPU_TESTS_KERNEL_QUEUE_PAIR_H

#include "kernel/core/pure/msgq.h"

#define QUEUE_BYTES   0x40000
#define QUEUE_ENTRIES 63

/* The CPU sends on the command queue, the GSP on the status queue. */
struct queue_pair {
	_Alignas(4096) u8 command[QUEUE_BYTES];
	_Alignas(4096) u8 status[QUEUE_BYTES];
	struct vgpu_msgq_sender cpu_tx, gsp_tx;
	struct vgpu_msgq_receiver cpu_rx, gsp_rx;
};

/* Make both queues, and link both sides to both. Returns 0 if all do. */
static inline int queue_pair_init(struct queue_pair *pair)
{
	int rc;

	memset(pair, 0, sizeof(*pair));
	rc = vgpu_msgq_sender_init(&pair->cpu_tx, pair->command, QUEUE_BYTES,
				   pair->status);
	if (rc == 0)
		rc = vgpu_msgq_sender_init(&pair->gsp_tx, pair->status,
					   QUEUE_BYTES, pair->command);
	if (rc == 0)
		rc = vgpu_msgq_receiver_init(&pair->cpu_rx, pair->status,
					     QUEUE_BYTES, pair->command);
	if (rc == 0)
		rc = vgpu_msgq_receiver_init(&pair->gsp_rx, pair->command,
					     QUEUE_BYTES, pair->status);
	return rc;
}

#endif
