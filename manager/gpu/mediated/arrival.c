/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs that come while vgpud runs, and those that had been of no use. */
#include "arrival.h"

#include "hardware.h"
#include "manager/vgpu/context.h"
#include "manager/vgpu/create.h"
#include "manager/vgpu/scheduler.h"

/* It is of use: make it one that has vGPUs, unless its VFs are that. */
static void put_to_use(struct vgpu_manager *manager, struct vgpu_gpu *gpu)
{
	manager->hooks->refresh(manager);
	if (gpu->ops)
		return;
	vgpu_hardware_init(gpu);
	vgpu_scheduler_load(manager);
	vgpu_events_add(&manager->events, "gpu-found", NULL, NULL,
			"%s (%.60s) is there, for vGPUs with %llu MiB", gpu->id,
			gpu->name, (unsigned long long)gpu->memory_mib);
	vgpu_load_retry_on(manager, gpu);
}

/* The one of @manager's that @found is; added, if it has none such. */
static struct vgpu_gpu *find_or_add(struct vgpu_manager *manager,
				    const struct vgpu_gpu *found)
{
	struct vgpu_gpu *gpu =
		vgpu_inventory_find_same(&manager->inventory, found);

	if (!gpu)
		return vgpu_inventory_add_found(&manager->inventory, found);
	/* It is known, and was of no use, or of another. */
	if (!gpu->ops)
		vgpu_inventory_describe(gpu, found);
	return gpu;
}

void vgpu_gpu_arrival_take(struct vgpu_manager *manager,
			   const struct vgpu_inventory *found)
{
	for (size_t i = 0; i < found->count; i++) {
		struct vgpu_gpu *gpu;

		if (found->gpus[i].is_software)
			continue;
		gpu = find_or_add(manager, &found->gpus[i]);
		if (gpu && vgpu_hardware_can_be(gpu))
			put_to_use(manager, gpu);
	}
}
