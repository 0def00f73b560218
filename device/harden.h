/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops what a device process inherits from whoever started it. */
#ifndef VGPU_DEVICE_HARDEN_H
#define VGPU_DEVICE_HARDEN_H

/*
 * Close all fds but 0, 1, 2 and @keep (-1 for none), create files private to
 * our user, and raise the limit of fds. Returns 0 or -errno.
 */
int vgpu_harden(int keep);

#endif
