/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process gives up before it meets a guest. */
#ifndef VGPU_DEVICE_HARDEN_H
#define VGPU_DEVICE_HARDEN_H

/*
 * No new privileges, no core dumps, no ptrace by others of the same user, no
 * fds but 0, 1, 2 and @keep (-1 for none), files of its own private.
 * Returns 0 or -errno.
 */
int vgpu_harden(int keep);

#endif
