/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory a copy between it and an image reads or writes. */
#include "image_copy.h"

#include <stddef.h>

#include "venus_formats.h"

static bool get_block(VkFormat format, VkImageAspectFlags aspect,
		      struct vgpu_texel_block *ret)
{
	const struct vgpu_format *f = vgpu_venus_format(format);
	uint32_t plane = 0;

	*ret = (struct vgpu_texel_block){.width = 1, .height = 1};
	if (!f)
		return false;
	switch (aspect) {
	case VK_IMAGE_ASPECT_DEPTH_BIT:
		ret->bytes = f->depth;
		return ret->bytes > 0;
	case VK_IMAGE_ASPECT_STENCIL_BIT:
		ret->bytes = f->stencil;
		return ret->bytes > 0;
	case VK_IMAGE_ASPECT_COLOR_BIT:
		if (f->n_planes != 1)
			return false;
		break;
	case VK_IMAGE_ASPECT_PLANE_2_BIT:
		plane++;
		__attribute__((fallthrough));
	case VK_IMAGE_ASPECT_PLANE_1_BIT:
		plane++;
		__attribute__((fallthrough));
	case VK_IMAGE_ASPECT_PLANE_0_BIT:
		if (f->n_planes < 2 || plane >= f->n_planes)
			return false;
		break;
	default:
		return false;
	}
	*ret = f->plane[plane];
	return true;
}

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return n / by + (n % by > 0);
}

bool vgpu_image_copy_bytes(VkFormat format, VkImageAspectFlags aspect,
			   uint32_t row_length, uint32_t height,
			   VkExtent3D extent, uint32_t layers,
			   uint64_t *ret_bytes)
{
	struct vgpu_texel_block block;
	uint64_t row, slices, rows, end;

	if (!get_block(format, aspect, &block) || !extent.width ||
	    !extent.height || !extent.depth || !layers)
		return false;
	row = divide_up(row_length ? row_length : extent.width, block.width) *
	      block.bytes;
	/* Whole slices before the last, and rows before its last. */
	slices = (uint64_t)extent.depth * layers - 1;
	if (__builtin_mul_overflow(
		    slices,
		    divide_up(height ? height : extent.height, block.height),
		    &rows) ||
	    __builtin_add_overflow(
		    rows, divide_up(extent.height, block.height) - 1, &rows) ||
	    __builtin_mul_overflow(rows, row, &end))
		return false;
	return !__builtin_add_overflow(
		end, divide_up(extent.width, block.width) * block.bytes,
		ret_bytes);
}
