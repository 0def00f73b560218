/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects of a context: the guest chooses the ids, we keep what is behind. */
#ifndef VGPU_RENDER_WIRE_OBJECT_H
#define VGPU_RENDER_WIRE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

struct vgpu_vk; /* generated: function pointers of the host's driver */

/*
 * Several rings look objects up while others come and go: a lookup takes no
 * lock, and the memory of an object is never given back, so that a guest which
 * destroys what another of its threads uses harms nobody but its own context.
 */
struct vgpu_object {
	uint64_t id; /* the guest's; 0 while nobody's */
	/*
	 * Atomic, as a ring may use an object that another one destroys and
	 * makes anew meanwhile: it then has the one or the other.
	 */
	_Atomic uint64_t handle; /* the driver's, a pointer or a 64-bit handle */
	_Atomic VkObjectType type;
	uint32_t state; /* the table's */
	/* What it dies with: a pool, a device, an instance; NULL for none. */
	struct vgpu_object *_Atomic parent;
	const struct vgpu_vk *_Atomic vk; /* functions of its device or instance */
	void *_Atomic priv;		  /* what render/vulkan keeps with it */
	struct vgpu_object *next; /* in its hash chain or the free list */
	/* The children: those of one parent, last made first. */
	struct vgpu_object *children, *sibling, **sibling_link;
};

struct vgpu_objects;

int vgpu_objects_create(struct vgpu_objects **ret_objects);
void vgpu_objects_destroy(struct vgpu_objects *objects); /* NULL is fine */

/* NULL if @id is 0, unknown or of another type. */
struct vgpu_object *vgpu_objects_find(struct vgpu_objects *objects, uint64_t id,
				      VkObjectType type);
/*
 * A new object that no lookup finds yet, with its id taken.
 * NULL if @id is 0 or taken, or there are too many.
 */
struct vgpu_object *vgpu_objects_reserve(struct vgpu_objects *objects,
					 uint64_t id, VkObjectType type);
/* From now on lookups find it. handle, parent, vk and priv are set already. */
void vgpu_objects_publish(struct vgpu_objects *objects,
			  struct vgpu_object *object);
/*
 * Out of the table, for who wants to destroy it: no lookup finds it any more,
 * but its id stays taken until it is removed. False if another thread has
 * taken it already.
 */
bool vgpu_objects_take(struct vgpu_objects *objects, struct vgpu_object *object);
/* The same of the child that was made last; NULL if there is none. */
struct vgpu_object *vgpu_objects_take_child(struct vgpu_objects *objects,
					    struct vgpu_object *parent);
/*
 * Published, taken or only reserved: its id names nothing any more. Its
 * children must be gone already. NULL is fine.
 */
void vgpu_objects_remove(struct vgpu_objects *objects,
			 struct vgpu_object *object);

#endif
