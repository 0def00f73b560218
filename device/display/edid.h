/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The EDID of a head: the monitor that a guest believes in. */
#ifndef VGPU_DEVICE_DISPLAY_EDID_H
#define VGPU_DEVICE_DISPLAY_EDID_H

#include <stddef.h>
#include <stdint.h>

#define VGPU_EDID_BYTES_MAX 256 /* the base block and one extension */

struct vgpu_edid_config {
	uint32_t head;	/* makes name and serial number */
	uint32_t width; /* of the preferred mode */
	uint32_t height;
	uint32_t max_width; /* no mode is listed beyond */
	uint32_t max_height;
};

/*
 * Write an EDID 1.4 for the head. Sides are 1 to 8192 pixels. Returns its
 * bytes: 128, or 256 with a DisplayID extension for modes that the base block
 * cannot hold.
 */
size_t vgpu_edid_make(const struct vgpu_edid_config *config,
		      uint8_t ret_edid[VGPU_EDID_BYTES_MAX]);

#endif
