/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the decoder of venus: streams of good and broken commands. */
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "tests/render/context.h"

/*
 * An input is a program: each step encodes one command with sample values,
 * of which something may be broken: a site as the encoder knows them, any
 * word, or the length. An input that begins with an odd byte is a whole stream
 * as it is, as seeds.py makes them of what real programs sent. The driver is the
 * null one: only the decoder and its objects are on trial, by the sanitizers.
 */
#define STEPS_MAX    64
#define STREAM_MAX   (256 * 1024)
#define OBJECTS_KEPT 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint32_t n_commands;
static uint8_t *stream;
static size_t stream_bytes;
static uint64_t odd_id;

static uint8_t take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint32_t take32(struct input *in)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | take8(in);
	return value;
}

static uint64_t take_odd(struct input *in)
{
	uint8_t byte = take8(in);

	switch (byte % 8) {
	case 0:
		return UINT64_MAX;
	case 1:
		return (uint64_t)take32(in) << 32 | take32(in);
	case 2:
		return (uint64_t)1 << (take8(in) % 64);
	case 3:
		return context_id(venus_test_types[0].type) + take8(in);
	case 4:
		return context.sampler.new_id - take8(in);
	default:
		return byte / 8;
	}
}

/* Mostly what is there for the tests, sometimes what the stream has made. */
static uint64_t get_id(VkObjectType type)
{
	uint64_t id = odd_id ? odd_id : context_id(type);

	odd_id = 0;
	return id;
}

static void add_step(struct input *in)
{
	uint8_t how = take8(in);
	const struct venus_test_command *command =
		&venus_test_commands[(take8(in) | take8(in) << 8) % n_commands];
	int64_t broken = how & 8 ? take8(in) : -1;
	uint64_t value = how & 8 ? take_odd(in) : 0;
	size_t bytes;

	context.sampler.is_sparse = how & 1;
	context.sampler.chains = how & 2   ? CHAIN_ONE
				 : how & 4 ? CHAIN_ALL
					   : CHAIN_NONE;
	context.sampler.chain_one = how & 2 ? take8(in) : 0;
	odd_id = how & 16 ? context.sampler.new_id - take8(in) : 0;
	context_encode(context_sample(command), broken, value);
	bytes = context.sent_bytes;
	if (how & 32 && bytes >= 4) {
		uint32_t word = (uint32_t)take_odd(in);

		memcpy(context.sent + take32(in) % (bytes / 4) * 4, &word, 4);
	}
	if (how & 64)
		bytes = take8(in) % (bytes + 1);
	if (bytes > STREAM_MAX - stream_bytes)
		return;
	memcpy(stream + stream_bytes, context.sent, bytes);
	stream_bytes += bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!n_commands) {
		while (venus_test_commands[n_commands].name)
			n_commands++;
		stream = malloc(STREAM_MAX);
		if (!stream)
			abort();
	}
	if (!context.objects) {
		context_init();
		context.is_any = true;
		context.sampler.get_id = get_id;
	}
	stream_bytes = 0;
	if (take8(&in) & 1) {
		/* It makes its objects itself, with the same ids every time. */
		context_restart();
		context_run(in.at, VGPU_MIN(in.left & ~(size_t)3, STREAM_MAX));
	} else {
		context_repair();
		for (int i = 0; i < STEPS_MAX && in.left; i++)
			add_step(&in);
		context_run(stream, stream_bytes);
	}
	/* Contexts that ended leave their objects behind, as processes do. */
	if (context.sampler.new_id > CONTEXT_NEW_ID_FIRST + OBJECTS_KEPT)
		context_finish();
	return 0;
}
