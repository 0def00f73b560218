/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pixels: the guest's formats, and the cursor over a picture. */
#ifndef VGPU_DEVICE_DISPLAY_PIXELS_H
#define VGPU_DEVICE_DISPLAY_PIXELS_H

#include <stdint.h>

#define VGPU_CURSOR_SIDE 64

/* Where the bytes of a colour are in a 32 bit pixel, as shifts. */
struct vgpu_pixel_order {
	uint8_t red;
	uint8_t green;
	uint8_t blue;
	int8_t alpha; /* -1 for none: opaque */
};

/* Convert to a8r8g8b8; without alpha the highest byte is 0xff. */
void vgpu_pixels_to_argb(uint32_t *to, const uint32_t *from, uint32_t n,
			 const struct vgpu_pixel_order *order);
/* Convert to x8r8g8b8, where x is 0. */
void vgpu_pixels_to_xrgb(uint32_t *to, const uint32_t *from, uint32_t n,
			 const struct vgpu_pixel_order *order);

/* A part of a picture, x8r8g8b8. */
struct vgpu_picture {
	uint32_t *pixels; /* of (x, y) */
	uint32_t stride_bytes;
	uint32_t x; /* where in the whole picture it begins */
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

/*
 * Lay the cursor (VGPU_CURSOR_SIDE a side, a8r8g8b8, premultiplied) over the
 * picture, its top left pixel at (x, y) of the whole picture.
 */
void vgpu_pixels_blend_cursor(const struct vgpu_picture *picture,
			      const uint32_t *cursor, int32_t x, int32_t y);

#endif
