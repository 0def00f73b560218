/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects of a context, found by the ids by which the guest knows them. */
#ifndef VGPU_RENDER_WIRE_OBJECT_H
#define VGPU_RENDER_WIRE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

struct vgpu_vk; /* generated: function pointers of the host's driver */

/*
 * Several ring threads look objects up while others are created and destroyed.
 * A lookup takes no lock, and the memory of an object is never freed: a guest
 * that destroys what another of its threads uses harms only its own context.
 */
struct vgpu_object {
	uint64_t id; /* as the guest knows it; 0 if unused */
	/*
	 * Atomic: a ring may use an object that another ring destroys and
	 * creates again at the same time. It sees one or the other.
	 */
	_Atomic uint64_t handle; /* the driver's, a pointer or a 64-bit handle */
	_Atomic VkObjectType type;
	uint32_t state; /* used by the table */
	/*
	 * The object with which it is destroyed: a pool, device or instance; or
	 * NULL.
	 */
	struct vgpu_object *_Atomic parent;
	/*
	 * Functions of its device or instance. Not NULL once it was published,
	 * also when it is reserved again: settled, it gets its parent's.
	 */
	const struct vgpu_vk *_Atomic vk;
	void *_Atomic priv;	  /* data of render/vulkan */
	struct vgpu_object *next; /* in its hash chain or the free list */
	/* Children, the latest first. */
	struct vgpu_object *children, *sibling, **sibling_link;
};

struct vgpu_objects;

int vgpu_objects_create(struct vgpu_objects **ret_objects);
void vgpu_objects_destroy(struct vgpu_objects *objects); /* NULL is allowed */

/*
 * An id that no object has had, where this side chooses them: a context has no
 * others then.
 */
uint64_t vgpu_objects_next_id(struct vgpu_objects *objects);

/* NULL if @id is 0, unknown or of another type. */
struct vgpu_object *vgpu_objects_find(struct vgpu_objects *objects, uint64_t id,
				      VkObjectType type);
/*
 * Reserve @id for a new object, which lookups do not find yet. NULL if @id is 0
 * or in use, or there are too many objects.
 */
struct vgpu_object *vgpu_objects_reserve(struct vgpu_objects *objects,
					 uint64_t id, VkObjectType type);
/*
 * Make it visible to lookups. handle, parent, vk and priv must be set already.
 */
void vgpu_objects_publish(struct vgpu_objects *objects,
			  struct vgpu_object *object);
/*
 * Claim it, in order to destroy it: lookups no longer find it; its id stays in
 * use until it is removed. False if another thread has claimed it already.
 */
bool vgpu_objects_take(struct vgpu_objects *objects, struct vgpu_object *object);
/* Claim the latest child; NULL if there is none. */
struct vgpu_object *vgpu_objects_take_child(struct vgpu_objects *objects,
					    struct vgpu_object *parent);
/*
 * Remove a published, claimed or reserved object: its id is free again. Its
 * children must have been removed. NULL is allowed.
 */
void vgpu_objects_remove(struct vgpu_objects *objects,
			 struct vgpu_object *object);

#endif
