/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs with a device process each: what fits where in a GPU's framebuffer. */
#include "mediated.h"

#include <string.h>

#include "manager/vgpu/capacity.h"
#include "manager/vgpu/instance.h"
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

	if (!gpu->memory->is_short(gpu))
		return UINT64_MAX;
	ready = gpu->memory->ready(gpu);
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (instance->gpu == gpu && instance->is_placed &&
	    instance->phase == VGPU_PHASE_DEFINED)
		promised += instance->definition.place.size;
	return ready - VGPU_MIN(ready, promised);
}

static uint64_t mediated_free_bytes(struct vgpu_manager *manager,
				    struct vgpu_gpu *gpu)
{
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t nominal;
	size_t n;

	used = list_used(manager, gpu, &n);
	if (!used)
		return 0;
	nominal = vgpu_placement_free(&gpu->framebuffer, used, n);
	return VGPU_MIN(nominal, obtainable(manager, gpu));
}

static uint64_t mediated_count(struct vgpu_manager *manager,
			       struct vgpu_gpu *gpu, const struct vgpu_type *type)
{
	uint64_t size = type->framebuffer_mib * VGPU_MIB;
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t nominal, taken;
	size_t n;

	used = list_used(manager, gpu, &n);
	taken = vgpu_placement_size(&gpu->framebuffer, size);
	if (!used || taken == 0)
		return 0;
	nominal = vgpu_placement_count(&gpu->framebuffer, used, n, size);
	return VGPU_MIN(nominal, obtainable(manager, gpu) / taken);
}

static int mediated_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			  struct vgpu_definition *definition,
			  struct vgpu_err *err)
{
	const struct vgpu_type *type = &definition->type;
	struct vgpu_extent place;
	vgpu_autofree struct vgpu_extent *used = NULL;
	uint64_t free_bytes;
	char fitting[200];
	size_t n;
	int r;

	if (definition->vf.is_pinned)
		return vgpu_err_set(
			err, -EINVAL, "BadPlacement",
			"on %s a vGPU's place in the framebuffer cannot be chosen",
			gpu->id);
	used = list_used(manager, gpu, &n);
	if (!used)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	r = vgpu_placement_find(&gpu->framebuffer, used, n,
				type->framebuffer_mib * VGPU_MIB, &place);
	if (r == 0 && place.size <= obtainable(manager, gpu)) {
		definition->place = place;
		return 0;
	}

	free_bytes = mediated_free_bytes(manager, gpu);
	vgpu_capacity_list_fitting(manager, gpu, fitting, sizeof(fitting));
	return vgpu_err_set(
		err, -ENOSPC, "NoRoom",
		"type %s needs %u MiB%s, and %llu MiB of %s's %llu MiB is free%s; types that still fit:%s",
		type->name, type->framebuffer_mib,
		free_bytes / VGPU_MIB >= type->framebuffer_mib ? " in one piece"
							       : "",
		free_bytes / VGPU_MIB, gpu->id,
		(gpu->framebuffer.size - gpu->framebuffer.host_reserve) / VGPU_MIB,
		gpu->memory->is_short(gpu) ? " while the machine is short of memory"
					   : "",
		fitting[0] ? fitting : " none");
}

static bool mediated_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			     const struct vgpu_definition *definition)
{
	vgpu_autofree struct vgpu_extent *used = NULL;
	size_t n;

	used = list_used(manager, gpu, &n);
	return used && vgpu_placement_is_valid(&gpu->framebuffer, used, n,
					       &definition->place);
}

static size_t mediated_type_count(struct vgpu_manager *manager,
				  struct vgpu_gpu *gpu)
{
	return vgpu_types_count(manager->catalogue.types);
}

static const struct vgpu_type *mediated_type_at(struct vgpu_manager *manager,
						struct vgpu_gpu *gpu, size_t i)
{
	return vgpu_types_at(manager->catalogue.types, i);
}

static int mediated_start(struct vgpu_gpu *gpu)
{
	return gpu->memory->start(gpu);
}

static void mediated_finish(struct vgpu_gpu *gpu)
{
	gpu->memory->finish(gpu);
}

const struct vgpu_provider_ops vgpu_mediated_ops = {
	.name = "mediated",
	.type_count = mediated_type_count,
	.type_at = mediated_type_at,
	.free_bytes = mediated_free_bytes,
	.count = mediated_count,
	.place = mediated_place,
	.is_free = mediated_is_free,
	.start = mediated_start,
	.finish = mediated_finish,
};
