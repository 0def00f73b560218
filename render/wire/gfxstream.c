/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read gfxstream's commands, which may contain anything, and write answers. */
#include "render/wire/gfxstream.h"

#include "gfxstream_calls.h"

static size_t left(const struct vgpu_decoder *d)
{
	return (size_t)(d->end - d->at);
}

uint32_t vgpu_gfx_find(uint32_t number)
{
	uint32_t from = 0, to = vgpu_gfx_n_commands;

	while (from < to) {
		uint32_t middle = (from + to) / 2;

		if (vgpu_gfx_commands[middle].number == number)
			return middle;
		if (vgpu_gfx_commands[middle].number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return UINT32_MAX;
}

const char *vgpu_gfx_command_name(uint32_t place)
{
	return place < vgpu_gfx_n_commands ? vgpu_gfx_commands[place].name : NULL;
}

bool vgpu_gfx_dispatch(struct vgpu_decoder *d, uint32_t number)
{
	struct vgpu_arena_mark mark = vgpu_arena_get_mark(&d->arena);
	const struct vgpu_gfx_command *command;
	const uint8_t *end = d->end;

	if (d->fatal)
		return false;
	d->command = vgpu_gfx_find(number);
	if (d->command == UINT32_MAX) {
		vgpu_decoder_fail(d, "an unknown command");
		return false;
	}
	command = &vgpu_gfx_commands[d->command];
	if (command->is_recorded != (d->recorded != NULL)) {
		vgpu_decoder_fail(d, command->is_recorded
					     ? "outside of a command buffer"
					     : "inside a command buffer");
		return false;
	}
	command->act(d);
	if (!d->fatal && d->at != end)
		vgpu_decoder_fail(d, "a command longer than its parameters");
	vgpu_arena_reset(&d->arena, mark);
	return !d->fatal;
}

void vgpu_gfx_record(struct vgpu_decoder *d, struct vgpu_object *command_buffer)
{
	const uint8_t *end = d->end;
	uint32_t command = d->command;

	d->recorded = command_buffer;
	while (d->at < end && !d->fatal) {
		const uint8_t *in = vgpu_decoder_take(d, VGPU_GFX_HEADER_BYTES);
		uint32_t number = vgpu_get_u32(in), bytes = vgpu_get_u32(in + 4);

		if (d->fatal || bytes < VGPU_GFX_HEADER_BYTES ||
		    bytes - VGPU_GFX_HEADER_BYTES > left(d)) {
			vgpu_decoder_fail(d,
					  "a recorded command that is cut off");
			break;
		}
		d->end = d->at + (bytes - VGPU_GFX_HEADER_BYTES);
		vgpu_gfx_dispatch(d, number);
		d->end = end;
	}
	d->recorded = NULL;
	if (!d->fatal)
		d->command = command;
}

uint64_t vgpu_gfx_count(struct vgpu_decoder *d, uint64_t n, size_t wire_bytes)
{
	if (n <= left(d) / wire_bytes)
		return n;
	vgpu_decoder_fail(d, "an array longer than its command");
	return 0;
}

void vgpu_gfx_skip(struct vgpu_decoder *d, uint64_t bytes)
{
	if (bytes > left(d))
		vgpu_decoder_short(d);
	else
		d->at += bytes;
}

const char *vgpu_gfx_string(struct vgpu_decoder *d)
{
	uint64_t n = vgpu_get_be32(vgpu_decoder_take(d, 4));
	char *string;

	n = vgpu_gfx_count(d, n, 1);
	string = vgpu_decoder_alloc(d, n + 1, 1);
	if (!string)
		return NULL;
	memcpy(string, d->at, n);
	string[n] = '\0';
	d->at += n;
	return string;
}

const char *const *vgpu_gfx_strings(struct vgpu_decoder *d, uint64_t n)
{
	uint64_t count = vgpu_get_be32(vgpu_decoder_take(d, 4));
	const char **strings;

	if (count != n) {
		vgpu_decoder_fail(d, "an array of the wrong length");
		return NULL;
	}
	count = vgpu_gfx_count(d, count, 4);
	if (count == 0)
		return NULL;
	strings = (const char **)vgpu_decoder_alloc(d, count, sizeof(*strings));
	for (uint64_t i = 0; strings && i < count; i++)
		strings[i] = vgpu_gfx_string(d);
	return strings;
}

/* The bytes of a chained struct, then its type twice: once is the struct's own. */
static bool take_next(struct vgpu_decoder *d, int32_t *ret_stype)
{
	const uint8_t *in;

	if (vgpu_get_u32(vgpu_decoder_take(d, 4)) == 0)
		return false;
	in = vgpu_decoder_take(d, 8);
	*ret_stype = (int32_t)vgpu_get_u32(in);
	if (vgpu_get_u32(in + 4) != (uint32_t)*ret_stype)
		vgpu_decoder_fail(d, "a struct of the wrong type");
	return !d->fatal;
}

void *vgpu_gfx_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain)
{
	return vgpu_decoder_take_chain(d, chain, /* is_out= */ false, take_next);
}

void *vgpu_gfx_shape_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain)
{
	return vgpu_decoder_take_chain(d, chain, /* is_out= */ true, take_next);
}

static void put_next(struct vgpu_decoder *d, const struct vgpu_chain_entry *entry)
{
	vgpu_gfx_put_u32(d, __builtin_bswap32(entry ? entry->bytes : 0));
	if (!entry)
		return;
	vgpu_gfx_put_u32(d, (uint32_t)entry->stype);
	vgpu_gfx_put_u32(d, (uint32_t)entry->stype);
}

void vgpu_gfx_reply_chain(struct vgpu_decoder *d,
			  const struct vgpu_chain *chain, const void *first)
{
	vgpu_reply_put_chain(d, chain, first, put_next);
}

const uint64_t *vgpu_gfx_new_ids(struct vgpu_decoder *d, uint64_t n)
{
	uint64_t *ids = vgpu_decoder_alloc(d, n, sizeof(*ids));

	for (uint64_t i = 0; ids && i < n; i++)
		ids[i] = vgpu_objects_next_id(d->objects);
	return ids;
}

bool vgpu_gfx_has_images(VkDescriptorType type)
{
	return type == VK_DESCRIPTOR_TYPE_SAMPLER ||
	       type == VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER ||
	       type == VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE ||
	       type == VK_DESCRIPTOR_TYPE_STORAGE_IMAGE ||
	       type == VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT;
}

bool vgpu_gfx_has_buffers(VkDescriptorType type)
{
	return type == VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER ||
	       type == VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC ||
	       type == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER ||
	       type == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC;
}

bool vgpu_gfx_has_views(VkDescriptorType type)
{
	return type == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER ||
	       type == VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER;
}

void vgpu_gfx_put(struct vgpu_decoder *d, const void *data, uint64_t bytes)
{
	uint8_t *at = bytes ? vgpu_reply_room(d, bytes) : NULL;

	if (at)
		memcpy(at, data, bytes);
}
