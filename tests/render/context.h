/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's context on the null driver, with an object of every kind. */
#ifndef VGPU_TESTS_RENDER_CONTEXT_H
#define VGPU_TESTS_RENDER_CONTEXT_H

#include "venus_test.h"

#define CONTEXT_STREAM_BYTES (1024 * 1024)
/* More than the ids of any stream that a driver has sent. */
#define CONTEXT_ID_FIRST     0x100000u
#define CONTEXT_NEW_ID_FIRST 0x200000u

struct context {
	struct vgpu_objects *objects;
	struct vgpu_decoder d;
	struct vgpu_sampler sampler;
	const struct venus_test_command *command; /* that is looked at */
	uint32_t n_calls; /* of the driver, of that command */
	bool is_any;	  /* any command will do; only answer it */

	/* What the guest sent, what the driver saw, encoded again. */
	uint8_t *sent, *seen;
	size_t sent_bytes, seen_bytes;
	/* The answer, and what it should be. */
	uint8_t *reply, *wanted;
	size_t wanted_bytes;
};

/* There is one at a time, for vgpu_null_saw(). */
extern struct context context;

void context_init(void);
void context_finish(void);
/* All objects are there again, and the decoder is not fatal. */
void context_repair(void);
uint64_t context_id(VkObjectType type);

/* Choose values for @command: arguments in memory of the sampler. */
void *context_sample(const struct venus_test_command *command);
/* Encode it to sent; site @broken becomes @value, see vgpu_encoder. */
struct vgpu_encoder context_encode(const void *args, int64_t broken,
				   uint64_t value);
/* Nothing is left of what was run before. */
void context_restart(void);
/*
 * Run a whole stream. Returns how many commands were carried out; if these are
 * not all, d.fatal says why.
 */
uint32_t context_run(const void *commands, size_t bytes);
/* Run what was sent, or its beginning. */
bool context_dispatch(size_t bytes, size_t reply_bytes);

#endif
