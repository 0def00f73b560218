/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What generated decoders run on: commands in, answers out, and why it ended. */
#ifndef VGPU_RENDER_WIRE_DECODER_H
#define VGPU_RENDER_WIRE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "render/wire/arena.h"
#include "render/wire/object.h"

/*
 * The most that one command may take for what it points to. It has to hold
 * what the largest answers are made in, as vkGetPipelineCacheData's.
 */
#define VGPU_DECODER_ARENA_BYTES ((size_t)64 * 1024 * 1024)
/* Structs in one chain; drivers have fewer feature structs than that. */
#define VGPU_DECODER_CHAIN_MAX 128
/* What generated code takes at once at most. */
#define VGPU_DECODER_TAKE_MAX 1024

/*
 * One stream of commands; belongs to one thread. Whoever sets it up fills what
 * is described here; the rest is vgpu_decoder_init()'s.
 */
struct vgpu_decoder {
	/*
	 * The commands, in memory of ours that nobody else writes and that
	 * stays until they are done: what is decoded may point into it. @at is
	 * aligned to 4 bytes.
	 */
	const uint8_t *at, *end;
	/* Where answers go: guest memory, which is only ever written. */
	uint8_t *reply, *reply_end;
	/* Why the context is at an end; the first reason stays. */
	const char *fatal;
	/* The command that is being carried out, for the reason's reader. */
	uint32_t command;
	/* The pool that its AllocateInfo names: the new objects' parent. */
	struct vgpu_object *pool;

	struct vgpu_objects *objects;
	void *context; /* render/vulkan's */
	/*
	 * Called, if set, before the driver's destroy function for any object
	 * that has a priv. Returns true if it has done it all, so that the
	 * driver's is not called. The object is removed afterwards.
	 */
	bool (*destroy)(struct vgpu_decoder *d, struct vgpu_object *object);

	struct vgpu_arena arena;
};

void vgpu_decoder_init(struct vgpu_decoder *d, struct vgpu_objects *objects,
		       void *context);
void vgpu_decoder_finish(struct vgpu_decoder *d);

/* Sticky: nothing more is decoded. @why is a constant. */
void vgpu_decoder_fail(struct vgpu_decoder *d, const char *why);

/*
 * The rest is for generated code. All of it may be called on after a failure:
 * there is nothing more to read then but zeros.
 */
extern const uint8_t vgpu_decoder_zeros[VGPU_DECODER_TAKE_MAX];

const uint8_t *vgpu_decoder_short(struct vgpu_decoder *d);

/* The next @bytes, a constant of at most VGPU_DECODER_TAKE_MAX. */
static inline const uint8_t *vgpu_decoder_take(struct vgpu_decoder *d,
					       size_t bytes)
{
	const uint8_t *at = d->at;

	if (__builtin_expect((size_t)(d->end - at) < bytes, 0))
		return vgpu_decoder_short(d);
	d->at = at + bytes;
	return at;
}

static inline uint32_t vgpu_get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t vgpu_get_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline float vgpu_get_float(const uint8_t *at)
{
	float value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Memory for what is decoded; NULL, and a failure, if it would be too much. */
void *vgpu_decoder_alloc(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* Zeroed, for what the driver fills. */
void *vgpu_decoder_alloc_out(struct vgpu_decoder *d, uint64_t n, size_t bytes);

/* A count that must be @n; for arrays in structs. */
void vgpu_decoder_expect(struct vgpu_decoder *d, uint64_t count, uint64_t n);
/* Is there something at this pointer? */
bool vgpu_decoder_pointer(struct vgpu_decoder *d, bool is_optional);
/*
 * How many elements follow: 0 if it is NULL, else @n. Each takes at least
 * @wire_bytes of what is left.
 */
uint64_t vgpu_decoder_count(struct vgpu_decoder *d, uint64_t n,
			    size_t wire_bytes, bool is_optional);

/* @n elements of @bytes, in place: aligned to 4 bytes. */
const void *vgpu_decoder_words(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* The same as a copy, aligned to 8 bytes. */
const void *vgpu_decoder_copy(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* @n bytes, in place. */
const void *vgpu_decoder_blob(struct vgpu_decoder *d, uint64_t n);
/* A string, in place, or NULL. */
const char *vgpu_decoder_string(struct vgpu_decoder *d, bool is_optional);
const char *const *vgpu_decoder_strings(struct vgpu_decoder *d, uint64_t n,
					bool is_optional);

/* What one kind of struct may be chained to. Sorted by stype. */
struct vgpu_chain_entry {
	int32_t stype;
	uint32_t bytes;
	void (*decode)(struct vgpu_decoder *d, void *p); /* NULL if never in */
	void (*shape)(struct vgpu_decoder *d, void *p);	 /* of one to fill */
	void (*reply)(struct vgpu_decoder *d, const void *p);
	bool may_repeat;
};

struct vgpu_chain {
	const struct vgpu_chain_entry *entry;
	uint32_t n;
};

void *vgpu_decoder_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain);
void *vgpu_decoder_shape_chain(struct vgpu_decoder *d,
			       const struct vgpu_chain *chain);
void vgpu_reply_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain,
		      const void *next);

/* The object with this id; NULL for 0 if that may be. Else a failure. */
static inline struct vgpu_object *vgpu_decoder_object(struct vgpu_decoder *d,
						      uint64_t id,
						      VkObjectType type,
						      bool is_optional)
{
	struct vgpu_object *object;

	if (id == 0 && is_optional)
		return NULL;
	object = vgpu_objects_find(d->objects, id, type);
	if (__builtin_expect(!object, 0))
		vgpu_decoder_fail(d, "an object id that is not known");
	return object;
}

static inline uint64_t vgpu_decoder_handle(struct vgpu_decoder *d, uint64_t id,
					   VkObjectType type, bool is_optional)
{
	struct vgpu_object *object =
		vgpu_decoder_object(d, id, type, is_optional);

	return object ? object->handle : 0;
}

/* The same of a pool, which is remembered. */
static inline uint64_t vgpu_decoder_pool(struct vgpu_decoder *d, uint64_t id,
					 VkObjectType type, bool is_optional)
{
	d->pool = vgpu_decoder_object(d, id, type, is_optional);
	return d->pool ? d->pool->handle : 0;
}

/* An id for a new object. */
struct vgpu_object *vgpu_decoder_reserve(struct vgpu_decoder *d, uint64_t id,
					 VkObjectType type);
/*
 * The driver has made @handle, or 0. Publish it as a child of @parent, unless
 * a handler has said otherwise, or forget it. Returns it if it lives.
 */
struct vgpu_object *vgpu_decoder_settle(struct vgpu_decoder *d,
					struct vgpu_object *object,
					uint64_t handle,
					struct vgpu_object *parent);

/* Room for @bytes of the answer; NULL, and a failure, if it does not fit. */
uint8_t *vgpu_reply_room(struct vgpu_decoder *d, uint64_t bytes);

static inline void vgpu_reply_u32(struct vgpu_decoder *d, uint32_t value)
{
	uint8_t *at = vgpu_reply_room(d, 4);

	if (at)
		memcpy(at, &value, sizeof(value));
}

static inline void vgpu_reply_u64(struct vgpu_decoder *d, uint64_t value)
{
	uint8_t *at = vgpu_reply_room(d, 8);

	if (at)
		memcpy(at, &value, sizeof(value));
}

static inline void vgpu_reply_float(struct vgpu_decoder *d, float value)
{
	uint8_t *at = vgpu_reply_room(d, 4);

	if (at)
		memcpy(at, &value, sizeof(value));
}

/* With zeros up to a multiple of 4. */
void vgpu_reply_bytes(struct vgpu_decoder *d, const void *data, uint64_t bytes);

#endif
