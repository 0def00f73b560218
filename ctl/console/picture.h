/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small pictures of what heads show. */
#ifndef VGPU_CTL_CONSOLE_PICTURE_H
#define VGPU_CTL_CONSOLE_PICTURE_H

#include "ctl/ctl.h"
#include "lib/err.h"

/* No picture is wider or higher. */
#define CTL_PICTURE_PIXELS_MAX 320

/*
 * A picture of head @head of @vgpu: a sealed memfd with a PNG file, which is
 * the caller's. Returns 0 or a negative errno with @err.
 */
int ctl_console_picture(struct ctl *ctl, const char *vgpu, uint32_t head,
			int *ret_fd, struct vgpu_err *err);

#endif
