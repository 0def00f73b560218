/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a GPU's driver takes memory of ours: found out by doing it. */
#ifndef VGPU_VULKAN_IMPORT_H
#define VGPU_VULKAN_IMPORT_H

#include <stdint.h>

#include <vulkan/vulkan_core.h>

/*
 * What a guest maps is a sealed memfd of ours, so that it can be shown to the
 * guest, taken back and counted. A driver gets it in one of these ways, the
 * first that works.
 */
enum vgpu_import_way {
	VGPU_IMPORT_NONE,
	VGPU_IMPORT_HOST_POINTER, /* VK_EXT_external_memory_host */
	/* A dma-buf of the memfd (Linux's udmabuf): VK_EXT_external_memory_dma_buf */
	VGPU_IMPORT_UDMABUF,
};

struct vgpu_import {
	enum vgpu_import_way way;
	/* The memory types, one bit each, that took it and are host-visible. */
	uint32_t types;
	char why[300]; /* NONE: one line, what each way fails with */
};

/* "host-pointer", "udmabuf", or "none". */
const char *vgpu_import_way_name(enum vgpu_import_way way);

/*
 * Give the driver of @gpu a piece of a memfd in each way, let the GPU write to
 * it, and see whether that has come. @instance is of Vulkan 1.1 or newer, and
 * @get its vkGetInstanceProcAddr. Takes some milliseconds; leaves nothing.
 */
void vgpu_import_try(PFN_vkGetInstanceProcAddr get, VkInstance instance,
		     VkPhysicalDevice gpu, struct vgpu_import *ret_import);

#endif
