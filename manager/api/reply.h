/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to varlink calls, at once and later. */
#ifndef VGPU_MANAGER_API_REPLY_H
#define VGPU_MANAGER_API_REPLY_H

#include <systemd/sd-varlink.h>

#include "lib/err.h"
#include "manager/vgpu/caller.h"

/*
 * @r is the result of sending an answer. If that failed, close the connection,
 * so that the client does not wait.
 */
void vgpu_reply_check(sd_varlink *link, int r);

/* Answer with the interface's error err->name and its text. */
int vgpu_reply_error(sd_varlink *link, const struct vgpu_err *err);

/*
 * The caller at @link, to be answered when a vGPU has become what was asked for.
 * It holds a reference to @link. That the client may be gone by then is no failure.
 */
struct vgpu_caller vgpu_reply_caller(sd_varlink *link);
/* Answer with @err, and let go of @caller, which nobody took. */
int vgpu_reply_refuse(struct vgpu_caller *caller, const struct vgpu_err *err);

#endif
