/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies between images and the guest's memory, by the host's driver. */
#ifndef VGPU_RENDER_VULKAN_IMAGE_COPY_H
#define VGPU_RENDER_VULKAN_IMAGE_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

struct vgpu_object;

/*
 * In copy_bytes.c. The bytes of memory, from the first that is read or written
 * to the last, of a copy of @extent texels of @layers layers (Vulkan, "Copying
 * Data Between Buffers and Images"). @row_length and @height: of the memory's
 * picture, in texels; 0: the extent's. False if the format has no such aspect,
 * which must be one, if there is nothing to copy, or if the sum does not fit.
 */
bool vgpu_image_copy_bytes(VkFormat format, VkImageAspectFlags aspect,
			   uint32_t row_length, uint32_t height,
			   VkExtent3D extent, uint32_t layers,
			   uint64_t *ret_bytes);

/* Remember of a new image what copies have to know. */
void vgpu_image_copy_note(struct vgpu_object *image,
			  const VkImageCreateInfo *info);

#endif
