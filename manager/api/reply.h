/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to varlink calls, at once and later. */
#ifndef VGPU_MANAGER_API_REPLY_H
#define VGPU_MANAGER_API_REPLY_H

#include <systemd/sd-varlink.h>

#include "lib/control_abi.h"
#include "lib/err.h"

/*
 * @r is what sending an answer came to. A client that gets none must not wait
 * for it: its connection is closed.
 */
void vgpu_reply_check(sd_varlink *link, int r);

/* Answer with the interface's error err->name and its text. */
int vgpu_reply_error(sd_varlink *link, const struct vgpu_err *err);

/*
 * Answer whoever waits at *link, if anyone does, and let go of it. That the
 * client may be gone meanwhile is no failure.
 */
void vgpu_reply_later_error(sd_varlink **link, const struct vgpu_err *err);
void vgpu_reply_later_empty(sd_varlink **link);
void vgpu_reply_later_uuid(sd_varlink **link, const char *uuid);

/* A vgpu_device_reply_t for requests whose answer changes nothing. */
void vgpu_reply_ignore(void *userdata, const struct vgpu_control_reply *reply,
		       int fd, const struct vgpu_err *err);

#endif
