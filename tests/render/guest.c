/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test guest encodes commands with, and makes up their values. */
#include "tests/render/guest.h"

#include <stdlib.h>
#include <string.h>

#define STRING_MAX 32

static uint8_t *take_room(struct vgpu_encoder *e, uint64_t bytes)
{
	uint8_t *at = e->at;

	if ((size_t)(e->end - at) < bytes) {
		e->is_full = true;
		return NULL;
	}
	e->at += bytes;
	return at;
}

/* Break it if its turn has come. */
static uint64_t pass(struct vgpu_encoder *e, enum vgpu_site site, uint64_t value)
{
	if (site != VGPU_SITE_VALUE && e->n_sites++ == e->broken) {
		e->broken_site = site;
		e->original = value;
		return e->broken_value;
	}
	return value;
}

void vgpu_put_u32(struct vgpu_encoder *e, enum vgpu_site site, uint32_t value)
{
	uint8_t *at = take_room(e, 4);

	value = (uint32_t)pass(e, site, value);
	if (at)
		memcpy(at, &value, 4);
}

void vgpu_put_u64(struct vgpu_encoder *e, enum vgpu_site site, uint64_t value)
{
	uint8_t *at = take_room(e, 8);

	value = pass(e, site, value);
	if (at)
		memcpy(at, &value, 8);
}

void vgpu_put_float(struct vgpu_encoder *e, float value)
{
	uint8_t *at = take_room(e, 4);

	if (at)
		memcpy(at, &value, 4);
}

void vgpu_put_bytes(struct vgpu_encoder *e, const void *data, uint64_t bytes)
{
	uint64_t padded = (bytes + 3) & ~(uint64_t)3;
	uint8_t *at = take_room(e, padded);

	if (!at || !bytes)
		return;
	memset(at, 0, padded);
	memcpy(at, data, bytes);
}

void vgpu_put_string(struct vgpu_encoder *e, const char *string)
{
	uint64_t bytes = string ? strlen(string) + 1 : 0;

	vgpu_put_u64(e, VGPU_SITE_STRING, bytes);
	vgpu_put_bytes(e, string, bytes);
}

void vgpu_put_pointer(struct vgpu_encoder *e, const void *pointer)
{
	vgpu_put_u64(e, VGPU_SITE_POINTER, pointer != NULL);
}

uint64_t vgpu_get_id(const struct vgpu_encoder *e, uint64_t handle)
{
	return handle ? handle ^ e->handle_xor : 0;
}

void vgpu_put_id(struct vgpu_encoder *e, uint64_t handle, VkObjectType type)
{
	vgpu_put_u64(e, VGPU_SITE_ID, vgpu_get_id(e, handle));
}

void vgpu_put_chain(struct vgpu_encoder *e, const void *next,
		    void (*body)(struct vgpu_encoder *e,
				 const VkBaseInStructure *s))
{
	const VkBaseInStructure *s = next;

	vgpu_put_u64(e, VGPU_SITE_CHAIN, s != NULL);
	if (!s)
		return;
	vgpu_put_u32(e, VGPU_SITE_STYPE, (uint32_t)s->sType);
	vgpu_put_chain(e, s->pNext, body);
	body(e, s);
}

uint64_t vgpu_sample_value(struct vgpu_sampler *s)
{
	return ++s->value * 0x01000193u;
}

int64_t vgpu_sample_pick(struct vgpu_sampler *s, int64_t a, int64_t b,
			 int64_t c, int64_t d)
{
	const int64_t from[] = {a, b, c, d};

	return from[++s->value % 4];
}

uint64_t vgpu_sample_id(struct vgpu_sampler *s, VkObjectType type)
{
	return s->get_id(type);
}

uint64_t vgpu_sample_new_id(struct vgpu_sampler *s)
{
	return s->new_id++;
}

uint64_t vgpu_sample_handle(struct vgpu_sampler *s)
{
	return s->handle++;
}

bool vgpu_sample_has(struct vgpu_sampler *s)
{
	return !s->is_sparse;
}

void *vgpu_sample_alloc(struct vgpu_sampler *s, size_t bytes)
{
	void *memory = s->memory + s->used;

	bytes = (bytes + 7) & ~(size_t)7;
	if (bytes > s->bytes - s->used)
		abort();
	s->used += bytes;
	memset(memory, 0, bytes);
	return memory;
}

const char *vgpu_sample_string(struct vgpu_sampler *s)
{
	uint64_t n = 1 + vgpu_sample_value(s) % (STRING_MAX - 1);
	char *string = vgpu_sample_alloc(s, STRING_MAX);

	memset(string, 'a' + (int)(n % 26), n);
	return string;
}

void *vgpu_sample_chain(struct vgpu_sampler *s,
			const struct vgpu_sample_link *links, uint32_t n)
{
	VkBaseOutStructure *first = NULL;

	/* Not in what is chained: there would be no end. */
	if (s->chain_depth || s->chains == CHAIN_NONE)
		return NULL;
	if (n > s->chains_max)
		s->chains_max = n;
	s->chain_depth++;
	for (uint32_t i = 0; i < n; i++) {
		VkBaseOutStructure *one;

		if (s->chains == CHAIN_ONE && i != s->chain_one)
			continue;
		one = vgpu_sample_alloc(s, links[i].bytes);
		one->sType = (VkStructureType)links[i].stype;
		one->pNext = first;
		first = one;
		links[i].body(s, one);
	}
	s->chain_depth--;
	return first;
}
