/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime of generated decoders: input, answers, and the error that ended
 * it.
 */
#ifndef VGPU_RENDER_WIRE_DECODER_H
#define VGPU_RENDER_WIRE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "render/wire/arena.h"
#include "render/wire/object.h"

/*
 * Limit of memory for what one command points to. It must hold the largest
 * answers, such as that of vkGetPipelineCacheData.
 */
#define VGPU_DECODER_ARENA_BYTES ((size_t)64 * 1024 * 1024)
/* Structs in one chain; drivers have fewer feature structs than that. */
#define VGPU_DECODER_CHAIN_MAX 128
/* The most bytes that generated code reads at once. */
#define VGPU_DECODER_TAKE_MAX 1024

/*
 * One stream of commands, used by one thread. The caller sets the documented
 * members; vgpu_decoder_init() sets the others.
 */
struct vgpu_decoder {
	/*
	 * The commands, in private memory that stays valid until they are
	 * executed: decoded structs may point into it. @at is aligned to 4
	 * bytes.
	 */
	const uint8_t *at, *end;
	/* Where answers are written: guest memory, which is never read. */
	uint8_t *reply, *reply_end;
	/* The first error, which ends the context; NULL while there is none. */
	const char *fatal;
	/* The driver said so of a command's device. It stays true. */
	bool is_device_lost;
	/* The current command, for the message about the error. */
	uint32_t command;
	/*
	 * The object that the command's struct names (KEPT in gen/venus.py): the
	 * pool that is the parent of the new objects, or the image of a copy.
	 */
	struct vgpu_object *kept;

	/* Of gfxstream (render/wire/gfxstream.h): */
	struct vgpu_object *recorded; /* the command buffer of recorded commands */
	/* Of the pipeline at hand: which of its parts count. */
	uint32_t has_rasterization, has_tessellation;
	/* Optional. The command may wait for what other streams do. */
	void (*overtake)(struct vgpu_decoder *d);
	/*
	 * Optional. Make room for @bytes more of an answer; false if there can
	 * be none.
	 */
	bool (*grow_reply)(struct vgpu_decoder *d, uint64_t bytes);

	struct vgpu_objects *objects;
	void *context; /* for render/vulkan */
	/*
	 * Optional. Called before the driver's destroy function, for objects
	 * that have a priv. If it returns true the driver's function is not
	 * called. The object is removed afterwards in both cases.
	 */
	bool (*destroy)(struct vgpu_decoder *d, struct vgpu_object *object);

	struct vgpu_arena arena;
};

void vgpu_decoder_init(struct vgpu_decoder *d, struct vgpu_objects *objects,
		       void *context);
void vgpu_decoder_finish(struct vgpu_decoder *d);

/*
 * Set the error; the first one stays. Nothing more is decoded. @why is a
 * constant.
 */
void vgpu_decoder_fail(struct vgpu_decoder *d, const char *why);

/*
 * The rest is for generated code. After a failure these functions may still be
 * called, and read zeros.
 */
extern const uint8_t vgpu_decoder_zeros[VGPU_DECODER_TAKE_MAX];

const uint8_t *vgpu_decoder_short(struct vgpu_decoder *d);

/* Read the next @bytes, a constant of at most VGPU_DECODER_TAKE_MAX. */
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

static inline uint16_t vgpu_get_u16(const uint8_t *at)
{
	uint16_t value;

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

/* Memory for decoded structs. NULL, with the error set, beyond the limit. */
void *vgpu_decoder_alloc(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* Zeroed memory for the driver to fill. */
void *vgpu_decoder_alloc_out(struct vgpu_decoder *d, uint64_t n, size_t bytes);

/* Check that an array length in a struct is @n. */
void vgpu_decoder_expect(struct vgpu_decoder *d, uint64_t count, uint64_t n);
/* Read the flag whether a pointer is non-NULL. */
bool vgpu_decoder_pointer(struct vgpu_decoder *d, bool is_optional);
/*
 * Read an array length, which must be @n, or 0 for NULL. Checks that @n
 * elements of at least @wire_bytes can follow.
 */
uint64_t vgpu_decoder_count(struct vgpu_decoder *d, uint64_t n,
			    size_t wire_bytes, bool is_optional);

/* @n elements of @bytes, not copied: aligned to 4 bytes. */
const void *vgpu_decoder_words(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* The same as a copy, aligned to 8 bytes. */
const void *vgpu_decoder_copy(struct vgpu_decoder *d, uint64_t n, size_t bytes);
/* @n bytes, not copied. */
const void *vgpu_decoder_blob(struct vgpu_decoder *d, uint64_t n);
/* A string, not copied, or NULL. */
const char *vgpu_decoder_string(struct vgpu_decoder *d, bool is_optional);
const char *const *vgpu_decoder_strings(struct vgpu_decoder *d, uint64_t n,
					bool is_optional);

/* The structs that may be in a pNext chain. Sorted by stype. */
struct vgpu_chain_entry {
	int32_t stype;
	uint32_t bytes;
	void (*decode)(struct vgpu_decoder *d,
		       void *p); /* NULL if it is never an input */
	void (*shape)(struct vgpu_decoder *d,
		      void *p); /* of one that the driver fills */
	void (*reply)(struct vgpu_decoder *d, const void *p);
	bool may_repeat;
};

struct vgpu_chain {
	const struct vgpu_chain_entry *entry;
	uint32_t n;
};

/*
 * A wire's own: read whether another struct is chained, and its type; and say so.
 */
typedef bool vgpu_chain_next(struct vgpu_decoder *d, int32_t *ret_stype);
typedef void vgpu_chain_put(struct vgpu_decoder *d,
			    const struct vgpu_chain_entry *entry);
void *vgpu_decoder_take_chain(struct vgpu_decoder *d,
			      const struct vgpu_chain *chain, bool is_out,
			      vgpu_chain_next *next);
/* @put gets NULL for the end. */
void vgpu_reply_put_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain,
			  const void *first, vgpu_chain_put *put);

void *vgpu_decoder_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain);
void *vgpu_decoder_shape_chain(struct vgpu_decoder *d,
			       const struct vgpu_chain *chain);
void vgpu_reply_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain,
		      const void *next);

/*
 * Read an id and look the object up; NULL for 0 if that is allowed. Else an
 * error.
 */
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

/* The same; also sets d->kept. */
static inline uint64_t vgpu_decoder_kept(struct vgpu_decoder *d, uint64_t id,
					 VkObjectType type, bool is_optional)
{
	d->kept = vgpu_decoder_object(d, id, type, is_optional);
	return d->kept ? d->kept->handle : 0;
}

/* Read the id for a new object, and reserve it. */
struct vgpu_object *vgpu_decoder_reserve(struct vgpu_decoder *d, uint64_t id,
					 VkObjectType type);
/*
 * The driver returned @handle, or 0 for failure. Publish the object as a child
 * of @parent, unless a handler has set another; or remove it. Returns the
 * object if it is published.
 */
struct vgpu_object *vgpu_decoder_settle(struct vgpu_decoder *d,
					struct vgpu_object *object,
					uint64_t handle,
					struct vgpu_object *parent);

/*
 * Space for @bytes of the answer; NULL, with the error set, if it does not fit.
 */
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

/* Write bytes, padded with zeros to a multiple of 4. */
void vgpu_reply_bytes(struct vgpu_decoder *d, const void *data, uint64_t bytes);

#endif
