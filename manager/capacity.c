/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a GPU's framebuffer is free, and what still fits into it. */
#include "capacity.h"

#include <string.h>

#include "instance.h"
#include "lib/util.h"

/* All that is used on @gpu; the caller frees it. NULL: no memory. */
static struct vgpu_extent *list_used(struct vgpu_manager *manager,
				     const struct vgpu_gpu *gpu,
				     size_t *ret_count)
{
	struct vgpu_instance *instance;
	struct vgpu_extent *used;
	size_t n = 0;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	n++;
	used = calloc(n + 1, sizeof(*used));
	if (!used)
		return NULL;
	n = 0;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu && instance->is_placed)
		used[n++] = instance->definition.place;
	*ret_count = n;
	return used;
}

/*
 * What can be had: while the machine is short of memory only what is ready,
 * less what is promised already.
 */
static uint64_t obtainable(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance;
	uint64_t ready, promised = 0;

	if (!gpu->ops->is_short(gpu))
		return UINT64_MAX;
	ready = gpu->ops->ready(gpu);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu && instance->is_placed &&
	    instance->phase == VGPU_PHASE_DEFINED)
		promised += instance->definition.place.size;
	return ready - VGPU_MIN(ready, promised);
}

uint64_t vgpu_capacity_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t nominal;
	size_t n;

	if (!gpu->ops)
		return 0;
	used = list_used(manager, gpu, &n);
	if (!used)
		return 0;
	nominal = vgpu_placement_free(&gpu->framebuffer, used, n);
	return VGPU_MIN(nominal, obtainable(manager, gpu));
}

uint64_t vgpu_capacity_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			     const struct vgpu_type *type)
{
	uint64_t size = type->framebuffer_mib * VGPU_MIB;
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t nominal, taken;
	size_t n;

	if (!gpu->ops)
		return 0;
	used = list_used(manager, gpu, &n);
	taken = vgpu_placement_size(&gpu->framebuffer, size);
	if (!used || taken == 0)
		return 0;
	nominal = vgpu_placement_count(&gpu->framebuffer, used, n, size);
	return VGPU_MIN(nominal, obtainable(manager, gpu) / taken);
}

/* The types that fit, as " 1Q 2B", "" if none does; cut where it is full. */
static void list_fitting(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			 char *ret, size_t size)
{
	const struct vgpu_types *types = manager->catalogue.types;
	size_t length = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < vgpu_types_count(types); i++) {
		const struct vgpu_type *type = vgpu_types_at(types, i);

		if (vgpu_capacity_count(manager, gpu, type) == 0)
			continue;
		if (length + 1 + strlen(type->name) >= size)
			return;
		length += (size_t)sprintf(ret + length, " %s", type->name);
	}
}

int vgpu_capacity_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			const struct vgpu_type *type,
			struct vgpu_extent *ret_place, struct vgpu_err *err)
{
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t free_bytes;
	char fitting[200];
	size_t n;
	int r;

	used = list_used(manager, gpu, &n);
	if (!used)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	r = vgpu_placement_find(&gpu->framebuffer, used, n,
				type->framebuffer_mib * VGPU_MIB, ret_place);
	if (r == 0 && ret_place->size <= obtainable(manager, gpu))
		return 0;

	free_bytes = vgpu_capacity_free(manager, gpu);
	list_fitting(manager, gpu, fitting, sizeof(fitting));
	return vgpu_err_set(
		err, -ENOSPC, "NoRoom",
		"type %s needs %u MiB%s, and %llu MiB of %s's %llu MiB is free%s; types that still fit:%s",
		type->name, type->framebuffer_mib,
		free_bytes / VGPU_MIB >= type->framebuffer_mib ? " in one piece"
							       : "",
		free_bytes / VGPU_MIB, gpu->id,
		(gpu->framebuffer.size - gpu->framebuffer.host_reserve) / VGPU_MIB,
		gpu->ops->is_short(gpu) ? " while the machine is short of memory"
					: "",
		fitting[0] ? fitting : " none");
}

bool vgpu_capacity_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			   const struct vgpu_extent *place)
{
	vgpu_autofree struct vgpu_extent *used = NULL;
	size_t n;

	used = list_used(manager, gpu, &n);
	return used && vgpu_placement_is_valid(&gpu->framebuffer, used, n, place);
}

unsigned int vgpu_capacity_vgpus(struct vgpu_manager *manager,
				 const struct vgpu_gpu *gpu)
{
	struct vgpu_instance *instance;
	unsigned int n = 0;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	n += instance->gpu == gpu;
	return n;
}
