/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process does not keep of who started it. */
#ifndef VGPU_DEVICE_HARDEN_H
#define VGPU_DEVICE_HARDEN_H

/*
 * No fds but 0, 1, 2 and @keep (-1 for none), files of its own private, and as
 * many fds as it may have. Returns 0 or -errno.
 */
int vgpu_harden(int keep);

#endif
