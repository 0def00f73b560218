/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Acts for a browser's session of vgpu-web, with its starter's rights. */
#ifndef VGPU_CTL_CONSOLE_AGENT_H
#define VGPU_CTL_CONSOLE_AGENT_H

#include "ctl/ctl.h"
#include "lib/err.h"

/* Connect to vgpu-web. Returns 0 or a negative errno with @err. */
int ctl_agent_connect(int *ret_fd, struct vgpu_err *err);

/*
 * Print a link, and answer what its session asks until it ends. The session is
 * bound to the vGPU that @vgpu names, and begins with its head @head; NULL: it
 * is of all that the caller may see. @fd is taken over.
 */
enum ctl_exit ctl_agent_run(struct ctl *ctl, int fd, const char *vgpu,
			    uint32_t head);

#endif
