/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of objects: lookups take no lock, and objects are never freed. */
#include "render/wire/object.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define BUCKET_BITS 16
#define BUCKETS	    (1U << BUCKET_BITS)
/* More than any program needs; takes at most 100 MiB of memory. */
#define OBJECTS_MAX (1U << 20)
#define SLAB	    64
/* Kinds of object with a free list of their own. */
#define KINDS 64

struct slab {
	struct slab *next;
	struct vgpu_object object[SLAB];
};

enum state {
	FREE,
	RESERVED,
	PUBLISHED,
	TAKEN,
};

/*
 * Readers without the lock see the buckets and the id, type, handle and next of
 * objects; these are written with atomic stores. An object that is removed and
 * reused during a lookup may lead the reader into another chain; it finds
 * nothing then, and looks again under the lock. An object is reused for the
 * same kind only, so that such a reader never mistakes a handle for one of
 * another kind.
 */
struct vgpu_objects {
	struct vgpu_object *bucket[BUCKETS];
	uint64_t factor; /* odd and random, so that a guest cannot make long chains */
	_Atomic uint64_t last_id; /* see vgpu_objects_next_id() */

	/*
	 * Protects what follows, changes of the chains, and parents and
	 * children.
	 */
	pthread_mutex_t lock;
	struct vgpu_object *free[KINDS];
	struct slab *slabs;
	uint32_t n;
};

static struct vgpu_object *load(struct vgpu_object *const *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static void store(struct vgpu_object **to, struct vgpu_object *object)
{
	__atomic_store_n(to, object, __ATOMIC_RELEASE);
}

static struct vgpu_object **get_bucket(struct vgpu_objects *objects, uint64_t id)
{
	return &objects->bucket[(id * objects->factor) >> (64 - BUCKET_BITS)];
}

/*
 * Core types are small numbers; those of extensions are 1000000000 + 1000 *
 * number.
 */
static uint32_t get_kind(VkObjectType type)
{
	uint32_t number = (uint32_t)type;

	return number < KINDS / 2 ? number
				  : KINDS / 2 + number / 1000 % (KINDS / 2);
}

int vgpu_objects_create(struct vgpu_objects **ret_objects)
{
	struct vgpu_objects *objects = calloc(1, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	if (getrandom(&objects->factor, sizeof(objects->factor), 0) !=
	    sizeof(objects->factor)) {
		free(objects);
		return -EIO;
	}
	objects->factor |= 1;
	pthread_mutex_init(&objects->lock, NULL);
	*ret_objects = objects;
	return 0;
}

void vgpu_objects_destroy(struct vgpu_objects *objects)
{
	if (!objects)
		return;
	while (objects->slabs) {
		struct slab *slab = objects->slabs;

		objects->slabs = slab->next;
		free(slab);
	}
	pthread_mutex_destroy(&objects->lock);
	free(objects);
}

/* Find an object in any state. With or without the lock. */
static struct vgpu_object *find_any(struct vgpu_objects *objects, uint64_t id)
{
	struct vgpu_object *object = load(get_bucket(objects, id));

	while (object && __atomic_load_n(&object->id, __ATOMIC_RELAXED) != id)
		object = load(&object->next);
	return object;
}

static bool is_published(const struct vgpu_object *object)
{
	return __atomic_load_n(&object->state, __ATOMIC_ACQUIRE) == PUBLISHED;
}

static bool is_wanted(const struct vgpu_object *object, VkObjectType type)
{
	return object && is_published(object) && object->type == type;
}

struct vgpu_object *vgpu_objects_find(struct vgpu_objects *objects, uint64_t id,
				      VkObjectType type)
{
	struct vgpu_object *object;

	if (id == 0)
		return NULL;
	object = find_any(objects, id);
	if (__builtin_expect(is_wanted(object, type), 1))
		return object;
	pthread_mutex_lock(&objects->lock);
	object = find_any(objects, id);
	if (!is_wanted(object, type))
		object = NULL;
	pthread_mutex_unlock(&objects->lock);
	return object;
}

uint64_t vgpu_objects_next_id(struct vgpu_objects *objects)
{
	return atomic_fetch_add(&objects->last_id, 1) + 1;
}

/* Called with the lock held. */
static struct vgpu_object *get_free(struct vgpu_objects *objects, uint32_t kind)
{
	struct vgpu_object *object = objects->free[kind];
	struct slab *slab;

	if (objects->n == OBJECTS_MAX)
		return NULL;
	if (!object) {
		slab = calloc(1, sizeof(*slab));
		if (!slab)
			return NULL;
		slab->next = objects->slabs;
		objects->slabs = slab;
		for (uint32_t i = 0; i + 1 < SLAB; i++)
			slab->object[i].next = &slab->object[i + 1];
		object = slab->object;
	}
	objects->free[kind] = object->next;
	objects->n++;
	return object;
}

struct vgpu_object *vgpu_objects_reserve(struct vgpu_objects *objects,
					 uint64_t id, VkObjectType type)
{
	struct vgpu_object *object = NULL, **bucket;

	if (id == 0)
		return NULL;
	pthread_mutex_lock(&objects->lock);
	if (!find_any(objects, id))
		object = get_free(objects, get_kind(type));
	if (object) {
		bucket = get_bucket(objects, id);
		object->type = type;
		__atomic_store_n(&object->state, RESERVED, __ATOMIC_RELAXED);
		store(&object->next, *bucket);
		__atomic_store_n(&object->id, id, __ATOMIC_RELEASE);
		object->handle = 0;
		object->parent = NULL;
		object->priv = NULL;
		/* vk stays: a ring that still uses the last one calls by it. */
		store(bucket, object);
	}
	pthread_mutex_unlock(&objects->lock);
	return object;
}

void vgpu_objects_publish(struct vgpu_objects *objects, struct vgpu_object *object)
{
	struct vgpu_object *parent = object->parent;

	pthread_mutex_lock(&objects->lock);
	assert(object->state == RESERVED);
	/* Another thread may be destroying it. */
	if (parent && parent->state == PUBLISHED) {
		object->sibling = parent->children;
		object->sibling_link = &parent->children;
		if (object->sibling)
			object->sibling->sibling_link = &object->sibling;
		parent->children = object;
	}
	__atomic_store_n(&object->state, PUBLISHED, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&objects->lock);
}

/* Called with the lock held. */
static void leave_family(struct vgpu_object *object)
{
	if (!object->sibling_link)
		return;
	*object->sibling_link = object->sibling;
	if (object->sibling)
		object->sibling->sibling_link = object->sibling_link;
	object->sibling = NULL;
	object->sibling_link = NULL;
}

bool vgpu_objects_take(struct vgpu_objects *objects, struct vgpu_object *object)
{
	bool is_ours;

	pthread_mutex_lock(&objects->lock);
	is_ours = object->state == PUBLISHED;
	if (is_ours) {
		__atomic_store_n(&object->state, TAKEN, __ATOMIC_RELEASE);
		leave_family(object);
	}
	pthread_mutex_unlock(&objects->lock);
	return is_ours;
}

struct vgpu_object *vgpu_objects_take_child(struct vgpu_objects *objects,
					    struct vgpu_object *parent)
{
	struct vgpu_object *child;

	pthread_mutex_lock(&objects->lock);
	child = parent->children;
	if (child) {
		__atomic_store_n(&child->state, TAKEN, __ATOMIC_RELEASE);
		leave_family(child);
	}
	pthread_mutex_unlock(&objects->lock);
	return child;
}

void vgpu_objects_remove(struct vgpu_objects *objects, struct vgpu_object *object)
{
	struct vgpu_object **link;
	uint32_t kind;

	if (!object)
		return;
	pthread_mutex_lock(&objects->lock);
	assert(object->state != FREE && !object->children);
	leave_family(object);
	link = get_bucket(objects, object->id);
	while (*link != object)
		link = &(*link)->next;
	store(link, object->next);
	__atomic_store_n(&object->id, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&object->state, FREE, __ATOMIC_RELEASE);
	kind = get_kind(object->type);
	store(&object->next, objects->free[kind]);
	objects->free[kind] = object;
	objects->n--;
	pthread_mutex_unlock(&objects->lock);
}
