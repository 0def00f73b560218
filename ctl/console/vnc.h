/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server of a head: found or started, and connected to. */
#ifndef VGPU_CTL_CONSOLE_VNC_H
#define VGPU_CTL_CONSOLE_VNC_H

#include "ctl/ctl.h"
#include "lib/err.h"

/*
 * Where the VNC server of head @head of @vgpu listens; one is started in the
 * vGPU's folder if there is none. *ret_address is the caller's: unix:/PATH or
 * ADDRESS:PORT, nothing that a program could take for an option. Returns 0 or a
 * negative errno with @err.
 */
int ctl_console_find(struct ctl *ctl, const char *vgpu, uint32_t head,
		     char **ret_address, struct vgpu_err *err);

/* Connect to such an @address. Returns 0 or a negative errno with @err. */
int ctl_console_connect(const char *address, int *ret_fd, struct vgpu_err *err);

#endif
