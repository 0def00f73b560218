/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a picture that is new: one rectangle around all of it. */
#ifndef VGPU_DEVICE_DISPLAY_DAMAGE_H
#define VGPU_DEVICE_DISPLAY_DAMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/util.h"

/* [left, right) x [top, bottom), in pixels. Zeroes are no damage. */
struct vgpu_damage {
	uint32_t left;
	uint32_t top;
	uint32_t right;
	uint32_t bottom;
};

static inline bool vgpu_damage_is_empty(const struct vgpu_damage *damage)
{
	return damage->left >= damage->right || damage->top >= damage->bottom;
}

/* A rectangle that is empty or ends beyond 32 bits adds nothing. */
static inline void vgpu_damage_add(struct vgpu_damage *damage, uint32_t x,
				   uint32_t y, uint32_t width, uint32_t height)
{
	uint32_t right, bottom;

	if (width == 0 || height == 0 || !vgpu_checked_add(x, width, &right) ||
	    !vgpu_checked_add(y, height, &bottom))
		return;
	if (vgpu_damage_is_empty(damage)) {
		*damage = (struct vgpu_damage){x, y, right, bottom};
		return;
	}
	damage->left = VGPU_MIN(damage->left, x);
	damage->top = VGPU_MIN(damage->top, y);
	damage->right = VGPU_MAX(damage->right, right);
	damage->bottom = VGPU_MAX(damage->bottom, bottom);
}

/* Cut the damage to the picture, which may have become smaller. */
static inline void vgpu_damage_clip(struct vgpu_damage *damage, uint32_t width,
				    uint32_t height)
{
	damage->right = VGPU_MIN(damage->right, width);
	damage->bottom = VGPU_MIN(damage->bottom, height);
}

#endif
