/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's context on the null driver, with an object of every kind. */
#include "tests/render/context.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_BYTES (1024 * 1024)
#define REPLY_BYTES  (64 * 1024)

struct context context;

static void *must_alloc(size_t bytes)
{
	void *memory = malloc(bytes);

	if (!memory)
		abort();
	return memory;
}

static uint32_t type_index(VkObjectType type)
{
	uint32_t i = 0;

	while (venus_test_types[i].type != type)
		i++;
	return i;
}

/* Two of each; what is freed by the array must not be the same twice. */
uint64_t context_id(VkObjectType type)
{
	static uint32_t turn;
	bool is_pooled = type == VK_OBJECT_TYPE_COMMAND_BUFFER ||
			 type == VK_OBJECT_TYPE_DESCRIPTOR_SET;

	return CONTEXT_ID_FIRST + 2 * type_index(type) +
	       (is_pooled ? turn++ % 2 : 0);
}

void context_init(void)
{
	context.sent = must_alloc(CONTEXT_STREAM_BYTES);
	context.seen = must_alloc(CONTEXT_STREAM_BYTES);
	context.reply = must_alloc(CONTEXT_STREAM_BYTES);
	context.wanted = must_alloc(CONTEXT_STREAM_BYTES);
	context.sampler.memory = must_alloc(SAMPLE_BYTES);
	context.sampler.bytes = SAMPLE_BYTES;
	context.sampler.get_id = context_id;
	context.sampler.new_id = CONTEXT_NEW_ID_FIRST;
	if (vgpu_objects_create(&context.objects) < 0)
		abort();
	vgpu_decoder_init(&context.d, context.objects, &context);
	context_repair();
}

void context_finish(void)
{
	vgpu_decoder_finish(&context.d);
	vgpu_objects_destroy(context.objects);
	free(context.sent);
	free(context.seen);
	free(context.reply);
	free(context.wanted);
	free(context.sampler.memory);
	memset(&context, 0, sizeof(context));
}

void context_repair(void)
{
	struct vgpu_objects *objects = context.objects;

	context.d.fatal = NULL;
	for (uint32_t i = 0; venus_test_types[i].type; i++) {
		const struct venus_test_type *type = &venus_test_types[i];

		for (uint64_t id = CONTEXT_ID_FIRST + 2 * i;
		     id < CONTEXT_ID_FIRST + 2 * i + 2; id++) {
			struct vgpu_object *object;

			if (vgpu_objects_find(objects, id, type->type))
				continue;
			object = vgpu_objects_reserve(objects, id, type->type);
			if (!object)
				abort();
			object->handle = id ^ GUEST_HANDLE_XOR;
			object->vk = &vgpu_null_vk;
			if (type->parent)
				object->parent = vgpu_objects_find(
					objects,
					CONTEXT_ID_FIRST +
						2 * type_index(type->parent),
					type->parent);
			vgpu_objects_publish(objects, object);
		}
	}
}

void *context_sample(const struct venus_test_command *command)
{
	struct vgpu_sampler *s = &context.sampler;
	void *args;

	context.command = command;
	s->used = 0;
	s->value = command->number;
	/* The driver makes the handles that the ids then belong to. */
	s->handle = s->new_id ^ GUEST_HANDLE_XOR;
	args = vgpu_sample_alloc(s, command->args_bytes);
	command->sample(s, args);
	return args;
}

struct vgpu_encoder context_encode(const void *args, int64_t broken,
				   uint64_t value)
{
	struct vgpu_encoder e = {.at = context.sent,
				 .end = context.sent + CONTEXT_STREAM_BYTES,
				 .broken = broken,
				 .broken_value = value};

	context.command->encode(&e, args, VK_COMMAND_GENERATE_REPLY_BIT_EXT);
	if (e.is_full)
		abort();
	context.sent_bytes = (size_t)(e.at - context.sent);
	return e;
}

void context_restart(void)
{
	vgpu_objects_destroy(context.objects);
	if (vgpu_objects_create(&context.objects) < 0)
		abort();
	context.d.objects = context.objects;
	context.sampler.handle = context.sampler.new_id ^ GUEST_HANDLE_XOR;
	context_repair();
}

uint32_t context_run(const void *commands, size_t bytes)
{
	/* Of their very sizes, so that a step beyond is seen. */
	uint8_t *copy = must_alloc(bytes ? bytes : 1);
	uint8_t *reply = must_alloc(REPLY_BYTES);
	struct vgpu_decoder *d = &context.d;
	uint32_t n = 0;

	memcpy(copy, commands, bytes);
	d->at = copy;
	d->end = copy + bytes;
	for (; d->at < d->end; n++) {
		d->reply = reply;
		d->reply_end = reply + REPLY_BYTES;
		if (!vgpu_venus_dispatch(d))
			break;
	}
	free(copy);
	free(reply);
	return n;
}

bool context_dispatch(size_t bytes, size_t reply_bytes)
{
	struct vgpu_decoder *d = &context.d;

	context.n_calls = 0;
	d->at = context.sent;
	d->end = context.sent + bytes;
	d->reply = context.reply;
	d->reply_end = context.reply + reply_bytes;
	return vgpu_venus_dispatch(d);
}

static void answer(uint32_t number, void *args)
{
	static const struct venus_test_command *by_number[VGPU_VENUS_COMMANDS];

	if (!by_number[number])
		for (uint32_t i = 0; venus_test_commands[i].name; i++)
			by_number[venus_test_commands[i].number] =
				&venus_test_commands[i];
	by_number[number]->fill(&context.sampler, args);
}

/* Children that go with what is destroyed come here too. */
static void saw(uint32_t number, void *args)
{
	const struct venus_test_command *command = context.command;
	struct vgpu_encoder seen = {.at = context.seen,
				    .end = context.seen + CONTEXT_STREAM_BYTES,
				    .broken = -1,
				    .handle_xor = GUEST_HANDLE_XOR};
	struct vgpu_encoder wanted = seen;

	if (context.is_any) {
		answer(number, args);
		return;
	}
	if (!command || command->number != number)
		return;
	context.n_calls++;
	/* First, as it makes handles of the ids that were sent. */
	command->fill(&context.sampler, args);
	command->encode(&seen, args, VK_COMMAND_GENERATE_REPLY_BIT_EXT);
	context.seen_bytes = (size_t)(seen.at - context.seen);
	wanted.at = context.wanted;
	wanted.end = context.wanted + CONTEXT_STREAM_BYTES;
	command->answer(&wanted, args);
	context.wanted_bytes = (size_t)(wanted.at - context.wanted);
	if (seen.is_full || wanted.is_full)
		abort();
}

void vgpu_null_saw(uint32_t number, void *args)
{
	saw(number, args);
}

void vgpu_null_handle(struct vgpu_decoder *d, uint32_t number, void *args)
{
	/* Its children's functions come from here. */
	if (number == VK_COMMAND_TYPE_vkCreateInstance_EXT) {
		struct vgpu_args_CreateInstance *create = args;

		create->new_pInstance[0]->vk = &vgpu_null_vk;
	}
	saw(number, args);
}
