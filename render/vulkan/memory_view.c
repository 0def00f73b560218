/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory types and heaps that a guest sees, and which of the driver's they are. */
#include "context.h"

#include <string.h>

#define MAPPED                                                                 \
	(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |                                 \
	 VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |                                \
	 VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

enum { HEAP_LOCAL, HEAP_HOST };

/*
 * 0 if the guest does not see the type. What it can map is a file of ours,
 * cached memory of the host's, whatever the driver says of memory that it maps
 * itself. Of the rest it gets what is on the GPU and nothing else: no type that
 * is lazy, protected or an extension's.
 */
static VkMemoryPropertyFlags seen_as(VkMemoryPropertyFlags real,
				     bool is_importable, bool has_local)
{
	is_importable =
		is_importable && real & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
	if (is_importable &&
	    (!has_local || real & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT))
		return MAPPED | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
	if (is_importable)
		return MAPPED;
	return real == VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT ? real : 0;
}

/*
 * The order in which Vulkan wants them (VkMemoryType): none before one whose
 * flags are a part of its own.
 */
static const VkMemoryPropertyFlags order[] = {
	VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
	MAPPED,
	MAPPED | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
};

static void add_types(struct vgpu_memory_view *view,
		      const VkPhysicalDeviceMemoryProperties *real,
		      uint32_t importable, bool has_local,
		      VkMemoryPropertyFlags wanted)
{
	VkPhysicalDeviceMemoryProperties *guest = &view->guest;

	for (uint32_t i = 0; i < real->memoryTypeCount; i++) {
		if (seen_as(real->memoryTypes[i].propertyFlags,
			    importable & 1u << i, has_local) != wanted)
			continue;
		view->real[guest->memoryTypeCount] = i;
		guest->memoryTypes[guest->memoryTypeCount++] = (VkMemoryType){
			.propertyFlags = wanted,
			.heapIndex = wanted == MAPPED ? HEAP_HOST : HEAP_LOCAL,
		};
		if (wanted == MAPPED)
			guest->memoryHeapCount = 2;
	}
}

const char *vgpu_memory_view_init(struct vgpu_memory_view *view,
				  const VkPhysicalDeviceMemoryProperties *real,
				  uint32_t importable, uint64_t framebuffer_bytes)
{
	bool has_local = false;

	*view = (struct vgpu_memory_view){.guest.memoryHeapCount = 1};
	/* Vulkan wants some type on the GPU: if none can be given, it is said. */
	for (uint32_t i = 0; i < real->memoryTypeCount; i++) {
		VkMemoryPropertyFlags flags = real->memoryTypes[i].propertyFlags;

		has_local |= flags == VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT ||
			     (importable & 1u << i &&
			      flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(order); i++)
		add_types(view, real, importable, has_local, order[i]);
	view->guest.memoryHeaps[HEAP_LOCAL] = (VkMemoryHeap){
		.size = framebuffer_bytes,
		.flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT,
	};
	/*
	 * Both are of one framebuffer, which the device counts. Programs that
	 * add heaps up are told of no more than half of it twice.
	 */
	view->guest.memoryHeaps[HEAP_HOST].size =
		view->guest.memoryHeapCount > 1 ? framebuffer_bytes / 2 : 0;
	for (uint32_t i = 0; i < view->guest.memoryTypeCount; i++)
		if (view->guest.memoryTypes[i].propertyFlags & MAPPED)
			return NULL;
	return "no memory type can be imported";
}

uint32_t vgpu_memory_view_bits(const struct vgpu_memory_view *view,
			       uint32_t real_bits)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < view->guest.memoryTypeCount; i++)
		if (real_bits & 1u << view->real[i])
			bits |= 1u << i;
	return bits;
}

static void translate(struct vgpu_decoder *d, VkMemoryRequirements *requirements)
{
	requirements->memoryTypeBits = vgpu_memory_view_bits(
		&vgpu_context_of(d)->host.view, requirements->memoryTypeBits);
}

void vgpu_handle_GetBufferMemoryRequirements(
	struct vgpu_decoder *d, struct vgpu_args_GetBufferMemoryRequirements *args)
{
	vgpu_default_GetBufferMemoryRequirements(d, args);
	translate(d, args->pMemoryRequirements);
}

void vgpu_handle_GetImageMemoryRequirements(
	struct vgpu_decoder *d, struct vgpu_args_GetImageMemoryRequirements *args)
{
	vgpu_default_GetImageMemoryRequirements(d, args);
	translate(d, args->pMemoryRequirements);
}

void vgpu_handle_GetBufferMemoryRequirements2(
	struct vgpu_decoder *d,
	struct vgpu_args_GetBufferMemoryRequirements2 *args)
{
	vgpu_default_GetBufferMemoryRequirements2(d, args);
	translate(d, &args->pMemoryRequirements->memoryRequirements);
}

void vgpu_handle_GetImageMemoryRequirements2(
	struct vgpu_decoder *d, struct vgpu_args_GetImageMemoryRequirements2 *args)
{
	vgpu_default_GetImageMemoryRequirements2(d, args);
	translate(d, &args->pMemoryRequirements->memoryRequirements);
}

void vgpu_handle_GetDeviceBufferMemoryRequirements(
	struct vgpu_decoder *d,
	struct vgpu_args_GetDeviceBufferMemoryRequirements *args)
{
	vgpu_default_GetDeviceBufferMemoryRequirements(d, args);
	translate(d, &args->pMemoryRequirements->memoryRequirements);
}

void vgpu_handle_GetDeviceImageMemoryRequirements(
	struct vgpu_decoder *d,
	struct vgpu_args_GetDeviceImageMemoryRequirements *args)
{
	vgpu_default_GetDeviceImageMemoryRequirements(d, args);
	translate(d, &args->pMemoryRequirements->memoryRequirements);
}
