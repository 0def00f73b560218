/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read commands that may contain anything, and write answers. */
#include "render/wire/decoder.h"

#include <assert.h>

static_assert(sizeof(size_t) == sizeof(uint64_t), "size_t is a u64 on the wire");

const uint8_t vgpu_decoder_zeros[VGPU_DECODER_TAKE_MAX];

void vgpu_decoder_init(struct vgpu_decoder *d, struct vgpu_objects *objects,
		       void *context)
{
	*d = (struct vgpu_decoder){.objects = objects, .context = context};
	vgpu_arena_init(&d->arena, VGPU_DECODER_ARENA_BYTES);
}

void vgpu_decoder_finish(struct vgpu_decoder *d)
{
	vgpu_arena_finish(&d->arena);
}

void vgpu_decoder_fail(struct vgpu_decoder *d, const char *why)
{
	if (!d->fatal)
		d->fatal = why;
	d->at = d->end;
}

const uint8_t *vgpu_decoder_short(struct vgpu_decoder *d)
{
	vgpu_decoder_fail(d, "a command that ends too early");
	return vgpu_decoder_zeros;
}

static size_t left(const struct vgpu_decoder *d)
{
	return (size_t)(d->end - d->at);
}

void *vgpu_decoder_alloc(struct vgpu_decoder *d, uint64_t n, size_t bytes)
{
	uint64_t size;
	void *memory = NULL;

	if (!__builtin_mul_overflow(n, bytes, &size))
		memory = vgpu_arena_alloc(&d->arena, size);
	if (!memory)
		vgpu_decoder_fail(d, "a command that needs too much memory");
	return memory;
}

void *vgpu_decoder_alloc_out(struct vgpu_decoder *d, uint64_t n, size_t bytes)
{
	void *memory = vgpu_decoder_alloc(d, n, bytes);

	if (memory)
		memset(memory, 0, n * bytes);
	return memory;
}

void vgpu_decoder_expect(struct vgpu_decoder *d, uint64_t count, uint64_t n)
{
	if (count != n)
		vgpu_decoder_fail(d, "an array of the wrong length");
}

bool vgpu_decoder_pointer(struct vgpu_decoder *d, bool is_optional)
{
	uint64_t count = vgpu_get_u64(vgpu_decoder_take(d, 8));

	if (count > 1)
		vgpu_decoder_fail(d, "a pointer that is neither there nor not");
	if (count == 0 && !is_optional)
		vgpu_decoder_fail(d, "a pointer that must not be NULL");
	return count == 1 && !d->fatal;
}

uint64_t vgpu_decoder_count(struct vgpu_decoder *d, uint64_t n,
			    size_t wire_bytes, bool is_optional)
{
	uint64_t count = vgpu_get_u64(vgpu_decoder_take(d, 8));

	if (count == 0 && is_optional)
		return 0;
	if (count != n) {
		vgpu_decoder_fail(d, "an array of the wrong length");
		return 0;
	}
	if (wire_bytes && count > left(d) / wire_bytes) {
		vgpu_decoder_fail(d, "an array longer than its command");
		return 0;
	}
	return count;
}

const void *vgpu_decoder_words(struct vgpu_decoder *d, uint64_t n, size_t bytes)
{
	const uint8_t *at = d->at;

	if (n > left(d) / bytes)
		return vgpu_decoder_short(d);
	d->at = at + n * bytes;
	return at;
}

const void *vgpu_decoder_copy(struct vgpu_decoder *d, uint64_t n, size_t bytes)
{
	const uint8_t *at = d->at;
	void *copy;

	if (n > left(d) / bytes)
		return vgpu_decoder_short(d);
	copy = vgpu_decoder_alloc(d, n, bytes);
	if (!copy)
		return vgpu_decoder_zeros;
	memcpy(copy, at, n * bytes);
	d->at = at + n * bytes;
	return copy;
}

const void *vgpu_decoder_blob(struct vgpu_decoder *d, uint64_t n)
{
	const uint8_t *at = d->at;

	/*
	 * If the rest is not a multiple of 4, the command is too short in any
	 * case.
	 */
	if (n > left(d) || ((n + 3) & ~(uint64_t)3) > left(d))
		return vgpu_decoder_short(d);
	d->at = at + ((n + 3) & ~(uint64_t)3);
	return at;
}

const char *vgpu_decoder_string(struct vgpu_decoder *d, bool is_optional)
{
	uint64_t n = vgpu_get_u64(vgpu_decoder_take(d, 8));
	const char *string;

	if (n == 0) {
		if (!is_optional)
			vgpu_decoder_fail(d, "a string that must not be NULL");
		return NULL;
	}
	string = vgpu_decoder_blob(d, n);
	if (d->fatal)
		return NULL;
	if (string[n - 1] != '\0') {
		vgpu_decoder_fail(d, "a string without an end");
		return NULL;
	}
	return string;
}

const char *const *vgpu_decoder_strings(struct vgpu_decoder *d, uint64_t n,
					bool is_optional)
{
	uint64_t count = vgpu_decoder_count(d, n, 8, is_optional);
	const char **strings;

	if (count == 0)
		return NULL;
	strings = (const char **)vgpu_decoder_alloc(d, count, sizeof(*strings));
	for (uint64_t i = 0; strings && i < count; i++)
		strings[i] = vgpu_decoder_string(d, false);
	return strings;
}

static const struct vgpu_chain_entry *find_entry(const struct vgpu_chain *chain,
						 int32_t stype)
{
	uint32_t from = 0, to = chain->n;

	while (from < to) {
		uint32_t middle = (from + to) / 2;

		if (chain->entry[middle].stype == stype)
			return &chain->entry[middle];
		if (chain->entry[middle].stype < stype)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

/*
 * On the wire the heads of all structs of a chain come first, then their
 * bodies, from the last to the first.
 */
void *vgpu_decoder_take_chain(struct vgpu_decoder *d,
			      const struct vgpu_chain *chain, bool is_out,
			      vgpu_chain_next *next)
{
	const struct vgpu_chain_entry *entry[VGPU_DECODER_CHAIN_MAX] = {NULL};
	VkBaseOutStructure *link[VGPU_DECODER_CHAIN_MAX] = {NULL};
	uint32_t n = 0;
	int32_t stype;

	while (next(d, &stype)) {
		if (n == VGPU_DECODER_CHAIN_MAX) {
			vgpu_decoder_fail(d, "a chain that is too long");
			return NULL;
		}
		entry[n] = find_entry(chain, stype);
		if (!entry[n] || !(is_out ? entry[n]->shape : entry[n]->decode)) {
			vgpu_decoder_fail(
				d, "a struct that cannot be chained here");
			return NULL;
		}
		for (uint32_t i = 0; i < n && !entry[n]->may_repeat; i++)
			if (entry[i] == entry[n])
				vgpu_decoder_fail(d, "a struct chained twice");
		link[n] = vgpu_decoder_alloc_out(d, 1, entry[n]->bytes);
		if (!link[n])
			return NULL;
		link[n]->sType = (VkStructureType)stype;
		if (n > 0)
			link[n - 1]->pNext = link[n];
		n++;
	}
	for (uint32_t i = n; i > 0 && !d->fatal; i--) {
		if (is_out)
			entry[i - 1]->shape(d, link[i - 1]);
		else
			entry[i - 1]->decode(d, link[i - 1]);
	}
	return link[0];
}

static bool take_next(struct vgpu_decoder *d, int32_t *ret_stype)
{
	if (!vgpu_decoder_pointer(d, true))
		return false;
	*ret_stype = (int32_t)vgpu_get_u32(vgpu_decoder_take(d, 4));
	return true;
}

void *vgpu_decoder_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain)
{
	return vgpu_decoder_take_chain(d, chain, /* is_out= */ false, take_next);
}

void *vgpu_decoder_shape_chain(struct vgpu_decoder *d,
			       const struct vgpu_chain *chain)
{
	return vgpu_decoder_take_chain(d, chain, /* is_out= */ true, take_next);
}

void vgpu_reply_put_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain,
			  const void *first, vgpu_chain_put *put)
{
	const struct vgpu_chain_entry *entry[VGPU_DECODER_CHAIN_MAX] = {NULL};
	const VkBaseInStructure *link[VGPU_DECODER_CHAIN_MAX] = {NULL};
	uint32_t n = 0;

	/* Skip structs that a handler added to the chain. */
	for (const VkBaseInStructure *s = first; s; s = s->pNext) {
		const struct vgpu_chain_entry *e =
			find_entry(chain, (int32_t)s->sType);

		if (!e || !e->reply || n == VGPU_DECODER_CHAIN_MAX)
			continue;
		put(d, e);
		entry[n] = e;
		link[n++] = s;
	}
	put(d, NULL);
	for (uint32_t i = n; i > 0; i--)
		entry[i - 1]->reply(d, link[i - 1]);
}

static void put_next(struct vgpu_decoder *d, const struct vgpu_chain_entry *entry)
{
	vgpu_reply_u64(d, entry ? 1 : 0);
	if (entry)
		vgpu_reply_u32(d, (uint32_t)entry->stype);
}

void vgpu_reply_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain,
		      const void *next)
{
	vgpu_reply_put_chain(d, chain, next, put_next);
}

struct vgpu_object *vgpu_decoder_reserve(struct vgpu_decoder *d, uint64_t id,
					 VkObjectType type)
{
	struct vgpu_object *object;

	if (d->fatal)
		return NULL;
	object = vgpu_objects_reserve(d->objects, id, type);
	if (!object)
		vgpu_decoder_fail(d, "an id for a new object that is 0 or taken, "
				     "or too many objects");
	return object;
}

struct vgpu_object *vgpu_decoder_settle(struct vgpu_decoder *d,
					struct vgpu_object *object,
					uint64_t handle,
					struct vgpu_object *parent)
{
	if (handle == 0) {
		vgpu_objects_remove(d->objects, object);
		return NULL;
	}
	object->handle = handle;
	if (!object->parent)
		object->parent = parent;
	/* A device has functions of its own, from who has made it. */
	if (object->parent &&
	    (!object->vk || object->type != VK_OBJECT_TYPE_DEVICE))
		object->vk = object->parent->vk;
	vgpu_objects_publish(d->objects, object);
	return object;
}

uint8_t *vgpu_reply_room(struct vgpu_decoder *d, uint64_t bytes)
{
	uint8_t *at = d->reply;

	if ((size_t)(d->reply_end - at) < bytes && d->grow_reply &&
	    d->grow_reply(d, bytes))
		at = d->reply;
	if ((size_t)(d->reply_end - at) < bytes) {
		vgpu_decoder_fail(d, at ? "an answer with too little room"
					: "an answer with no room at all");
		return NULL;
	}
	d->reply = at + bytes;
	return at;
}

void vgpu_reply_bytes(struct vgpu_decoder *d, const void *data, uint64_t bytes)
{
	uint64_t padded = (bytes + 3) & ~(uint64_t)3;
	uint8_t *at = vgpu_reply_room(d, padded);

	if (!at || bytes == 0)
		return;
	memcpy(at, data, bytes);
	memset(at + bytes, 0, padded - bytes);
}
