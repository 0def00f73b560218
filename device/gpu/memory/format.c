/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of virtio-gpu (virtio 1.3, 5.7.6.8), all of 32 bits a pixel. */
#include "device/gpu/memory/memory.h"

const struct vgpu_pixel_order *vgpu_gpu_format_order(uint32_t format)
{
	/* A name gives bytes in memory; a shift counts from the lowest one. */
	static const struct vgpu_pixel_order bgra = {16, 8, 0, 24};
	static const struct vgpu_pixel_order bgrx = {16, 8, 0, -1};
	static const struct vgpu_pixel_order argb = {8, 16, 24, 0};
	static const struct vgpu_pixel_order xrgb = {8, 16, 24, -1};
	static const struct vgpu_pixel_order rgba = {0, 8, 16, 24};
	static const struct vgpu_pixel_order xbgr = {24, 16, 8, -1};
	static const struct vgpu_pixel_order abgr = {24, 16, 8, 0};
	static const struct vgpu_pixel_order rgbx = {0, 8, 16, -1};

	switch (format) {
	case VGPU_GPU_B8G8R8A8:
		return &bgra;
	case VGPU_GPU_B8G8R8X8:
		return &bgrx;
	case VGPU_GPU_A8R8G8B8:
		return &argb;
	case VGPU_GPU_X8R8G8B8:
		return &xrgb;
	case VGPU_GPU_R8G8B8A8:
		return &rgba;
	case VGPU_GPU_X8B8G8R8:
		return &xbgr;
	case VGPU_GPU_A8B8G8R8:
		return &abgr;
	case VGPU_GPU_R8G8B8X8:
		return &rgbx;
	default:
		return NULL;
	}
}
