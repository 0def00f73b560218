/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pixels: the guest's formats, and the cursor over a picture. */
#include "device/display/pixels.h"

#include <stdbool.h>
#include <string.h>

#include "lib/util.h"

static bool is_xrgb(const struct vgpu_pixel_order *order)
{
	return order->red == 16 && order->green == 8 && order->blue == 0;
}

void vgpu_pixels_to_xrgb(uint32_t *to, const uint32_t *from, uint32_t n,
			 const struct vgpu_pixel_order *order)
{
	if (is_xrgb(order)) {
		for (uint32_t i = 0; i < n; i++)
			to[i] = from[i] & 0xffffff;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t pixel = from[i];

		to[i] = (pixel >> order->red & 0xff) << 16 |
			(pixel >> order->green & 0xff) << 8 |
			(pixel >> order->blue & 0xff);
	}
}

void vgpu_pixels_to_argb(uint32_t *to, const uint32_t *from, uint32_t n,
			 const struct vgpu_pixel_order *order)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t pixel = from[i];
		uint32_t alpha =
			order->alpha < 0 ? 0xff : pixel >> order->alpha & 0xff;

		to[i] = alpha << 24 | (pixel >> order->red & 0xff) << 16 |
			(pixel >> order->green & 0xff) << 8 |
			(pixel >> order->blue & 0xff);
	}
}

/* One colour of a premultiplied pixel over that of the pixel below. */
static uint32_t blend_colour(uint32_t top, uint32_t below, uint32_t alpha,
			     unsigned int shift)
{
	uint32_t colour = (top >> shift & 0xff) +
			  ((below >> shift & 0xff) * (255 - alpha) + 127) / 255;

	return VGPU_MIN(colour, 255u) << shift;
}

void vgpu_pixels_blend_cursor(const struct vgpu_picture *picture,
			      const uint32_t *cursor, int32_t x, int32_t y)
{
	/* In 64 bits nothing here can overflow: all are 32 bit values. */
	int64_t left = VGPU_MAX((int64_t)x, (int64_t)picture->x);
	int64_t top = VGPU_MAX((int64_t)y, (int64_t)picture->y);
	int64_t right = VGPU_MIN((int64_t)x + VGPU_CURSOR_SIDE,
				 (int64_t)picture->x + picture->width);
	int64_t bottom = VGPU_MIN((int64_t)y + VGPU_CURSOR_SIDE,
				  (int64_t)picture->y + picture->height);

	for (int64_t row = top; row < bottom; row++) {
		uint8_t *line = (uint8_t *)picture->pixels +
				(row - picture->y) * picture->stride_bytes;
		uint32_t *pixels = (uint32_t *)line;
		const uint32_t *image = cursor + (row - y) * VGPU_CURSOR_SIDE;

		for (int64_t column = left; column < right; column++) {
			uint32_t pixel = image[column - x];
			uint32_t alpha = pixel >> 24;
			uint32_t *to = &pixels[column - picture->x];
			uint32_t below = *to;

			if (pixel == 0)
				continue;
			*to = blend_colour(pixel, below, alpha, 16) |
			      blend_colour(pixel, below, alpha, 8) |
			      blend_colour(pixel, below, alpha, 0);
		}
	}
}
