/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a GPU's framebuffer is free, and what still fits into it. */
#include "capacity.h"

#include <string.h>

#include "instance.h"
#include "lib/util.h"

size_t vgpu_capacity_type_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	return gpu->ops ? gpu->ops->type_count(manager, gpu) : 0;
}

const struct vgpu_type *vgpu_capacity_find_type(struct vgpu_manager *manager,
						struct vgpu_gpu *gpu,
						const char *name)
{
	char id[16];

	for (size_t i = 0; i < vgpu_capacity_type_count(manager, gpu); i++) {
		const struct vgpu_type *type = gpu->ops->type_at(manager, gpu, i);

		snprintf(id, sizeof(id), "%u", type->id);
		if (strcmp(type->name, name) == 0 ||
		    (type->id > 0 && strcmp(id, name) == 0))
			return type;
	}
	return NULL;
}

uint64_t vgpu_capacity_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	return gpu->ops ? gpu->ops->free_bytes(manager, gpu) : 0;
}

uint64_t vgpu_capacity_count(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			     const struct vgpu_type *type)
{
	return gpu->ops ? gpu->ops->count(manager, gpu, type) : 0;
}

void vgpu_capacity_list_fitting(struct vgpu_manager *manager,
				struct vgpu_gpu *gpu, char *ret, size_t size)
{
	size_t length = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < vgpu_capacity_type_count(manager, gpu); i++) {
		const struct vgpu_type *type = gpu->ops->type_at(manager, gpu, i);

		if (vgpu_capacity_count(manager, gpu, type) == 0)
			continue;
		if (length + 1 + strlen(type->name) >= size)
			return;
		length += (size_t)sprintf(ret + length, " %s", type->name);
	}
}

int vgpu_capacity_place(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			struct vgpu_definition *definition, struct vgpu_err *err)
{
	if (!gpu->ops || gpu->unusable[0])
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "no vGPU can be made on %s: %s", gpu->id,
				    gpu->unusable);
	return gpu->ops->place(manager, gpu, definition, err);
}

bool vgpu_capacity_is_free(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			   const struct vgpu_definition *definition)
{
	return gpu->ops && gpu->ops->is_free(manager, gpu, definition);
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
