/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the decoder of gfxstream: packets, and commands that are recorded. */
#include <stdlib.h>
#include <string.h>

#include "gfxstream_calls.h"
#include "lib/util.h"
#include "render/wire/gfxstream.h"
#include "tests/render/context.h"

/*
 * An input is a program: each step is one command, by its place in the table,
 * and what makes up its parameters: words, ids of objects that there are,
 * strings, heads of chained structs, or bytes as they are. The driver is the
 * null one: only the decoder and its objects are on trial, by the sanitizers.
 */
#define STEPS_MAX    16
#define PACKET_MAX   4096
#define PARTS_MAX    200
#define OBJECTS_KEPT 20000
#define REPLY_FIRST  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t *packet;
static size_t packet_bytes;
static uint8_t *reply;
static size_t reply_bytes;
static uint32_t n_types;

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

static void put(const void *data, size_t bytes)
{
	if (bytes > PACKET_MAX - packet_bytes)
		return;
	memcpy(packet + packet_bytes, data, bytes);
	packet_bytes += bytes;
}

static void put32(uint32_t value)
{
	put(&value, sizeof(value));
}

static void put64(uint64_t value)
{
	put(&value, sizeof(value));
}

static void put_head(struct input *in)
{
	uint32_t value = take8(in) << 8 | take8(in);
	/* Of an extension, or of Vulkan itself. */
	uint32_t stype =
		value & 0x8000
			? 1000000000 + (value >> 3 & 0xfff) * 1000 + (value & 7)
			: value;

	put32(__builtin_bswap32(8));
	put32(stype);
	put32(stype);
}

static void put_part(struct input *in)
{
	static const uint8_t zeros[64];
	uint8_t how = take8(in), bytes;

	switch (how % 12) {
	case 0:
		put64(__builtin_bswap64(1)); /* a pointer that is there */
		break;
	case 1:
		put64(0);
		break;
	case 2:
		put32(how / 12);
		break;
	case 3:
		put32(take32(in));
		break;
	case 4:
		put64((uint64_t)take32(in) << 32 | take32(in));
		break;
	case 5:
		put64(context_id(venus_test_types[take8(in) % n_types].type));
		break;
	case 6: /* a string, or the number of strings */
		put32(__builtin_bswap32(how / 12));
		break;
	case 7:
		put64(__builtin_bswap64(take8(in)));
		break;
	case 8:
		put(zeros, take8(in) % sizeof(zeros));
		break;
	case 9:
		put_head(in);
		break;
	case 10:
		put32(take8(in)); /* a type of Vulkan's own, or an enum */
		put32(0);
		break;
	default:
		for (bytes = take8(in) % 32; bytes; bytes--) {
			uint8_t byte = take8(in);

			put(&byte, 1);
		}
	}
}

static bool grow_reply(struct vgpu_decoder *d, uint64_t bytes)
{
	size_t used = (size_t)(d->reply - reply);
	uint8_t *grown;

	if (bytes > (16u << 20))
		return false;
	reply_bytes = used + bytes;
	grown = realloc(reply, reply_bytes);
	if (!grown)
		abort();
	reply = grown;
	d->reply = reply + used;
	d->reply_end = reply + reply_bytes;
	return true;
}

static void run_step(struct input *in)
{
	const struct vgpu_gfx_command *command =
		&vgpu_gfx_commands[(take8(in) | take8(in) << 8) % vgpu_gfx_n_commands];
	struct vgpu_decoder *d = &context.d;
	uint8_t parts = take8(in) % PARTS_MAX;
	uint8_t *copy;

	packet_bytes = 0;
	if (command->is_recorded) {
		put32(command->number);
		put32(0);
	}
	while (parts-- && in->left)
		put_part(in);
	if (command->is_recorded) {
		uint32_t bytes = packet_bytes - (take8(in) & 1 ? take8(in) : 0);

		memcpy(packet + 4, &bytes, sizeof(bytes));
	}
	/* Of its very size, so that a step beyond is seen. */
	copy = malloc(packet_bytes ? packet_bytes : 1);
	reply = malloc(REPLY_FIRST);
	if (!copy || !reply)
		abort();
	memcpy(copy, packet, packet_bytes);
	d->fatal = NULL;
	d->at = copy;
	d->end = copy + packet_bytes;
	d->reply = reply;
	d->reply_end = reply + REPLY_FIRST;
	if (command->is_recorded)
		vgpu_gfx_record(
			d, vgpu_objects_find(
				   d->objects,
				   context_id(VK_OBJECT_TYPE_COMMAND_BUFFER),
				   VK_OBJECT_TYPE_COMMAND_BUFFER));
	else
		vgpu_gfx_dispatch(d, command->number);
	free(copy);
	free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!packet) {
		packet = malloc(PACKET_MAX);
		if (!packet)
			abort();
		while (venus_test_types[n_types].type)
			n_types++;
	}
	if (!context.objects) {
		context_init();
		context.is_any = true;
		context.d.grow_reply = grow_reply;
	}
	for (int i = 0; i < STEPS_MAX && in.left; i++) {
		context_repair();
		run_step(&in);
	}
	/* Contexts that ended leave their objects behind, as processes do. */
	if (vgpu_objects_next_id(context.objects) > OBJECTS_KEPT)
		context_finish();
	return 0;
}

/* What only this wire has: as in render/gfxstream, but for the driver. */

void vgpu_handle_QueueFlushCommandsGOOGLE(
	struct vgpu_decoder *d, struct vgpu_args_QueueFlushCommandsGOOGLE *args)
{
	const uint8_t *at = d->at, *end = d->end;

	d->at = args->pData;
	d->end = d->at + args->dataSize;
	if (args->dataSize)
		vgpu_gfx_record(d, args->o_commandBuffer);
	if (d->fatal)
		return;
	d->at = at;
	d->end = end;
}

static uint64_t make_handle(void)
{
	static uint64_t handle = 0x1000;

	return ++handle;
}

void vgpu_handle_CreateImageWithRequirementsGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_CreateImageWithRequirementsGOOGLE *args)
{
	*args->pImage = (VkImage)make_handle();
	args->ret = VK_SUCCESS;
}

void vgpu_handle_CreateBufferWithRequirementsGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_CreateBufferWithRequirementsGOOGLE *args)
{
	*args->pBuffer = (VkBuffer)make_handle();
	args->ret = VK_SUCCESS;
}

#define ANSWER(name)                                                           \
	void vgpu_handle_##name(struct vgpu_decoder *d,                        \
				struct vgpu_args_##name *args)                 \
	{                                                                      \
		args->ret = VK_SUCCESS;                                        \
	}
#define IGNORE(name)                                                           \
	void vgpu_handle_##name(struct vgpu_decoder *d,                        \
				struct vgpu_args_##name *args)                 \
	{                                                                      \
	}

ANSWER(GetMemoryHostAddressInfoGOOGLE)
ANSWER(GetBlobGOOGLE)
ANSWER(FlushMappedMemoryRanges)
ANSWER(InvalidateMappedMemoryRanges)
IGNORE(GetLinearImageLayoutGOOGLE)
IGNORE(GetLinearImageLayout2GOOGLE)
IGNORE(UpdateDescriptorSetWithTemplateSizedGOOGLE)
IGNORE(UpdateDescriptorSetWithTemplateSized2GOOGLE)
