/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write pixels as a PNG file. */
#ifndef VGPU_CTL_COMMON_PNG_FILE_H
#define VGPU_CTL_COMMON_PNG_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

/*
 * Return the next row of width x8r8g8b8 pixels, valid until the next call; NULL
 * with @err on failure.
 */
typedef const uint8_t *(*ctl_png_row)(void *userdata, struct vgpu_err *err);

/* Write @height rows to @file. Returns 0 or a negative errno with @err. */
int ctl_png_write(FILE *file, uint32_t width, uint32_t height, ctl_png_row row,
		  void *userdata, struct vgpu_err *err);

#endif
