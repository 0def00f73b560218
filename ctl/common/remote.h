/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager of another machine, by ssh. */
#ifndef VGPU_CTL_COMMON_REMOTE_H
#define VGPU_CTL_COMMON_REMOTE_H

#include "ctl/ctl.h"
#include "lib/err.h"

/* Whether @url is ssh://[USER@]HOST[:PORT], and nothing that ssh takes otherwise. */
bool ctl_remote_is_url(const char *url);

/*
 * Start 'vgpuctl bridge' on ctl->host by ssh; *ret_fd, the caller's, is what it
 * reads and writes: the socket of the manager there.
 */
int ctl_remote_connect(struct ctl *ctl, int *ret_fd, struct vgpu_err *err);
/*
 * The connection has ended: why, as ssh and what it ran said. Returns a
 * negative errno with @err, or 0 if they do not say.
 */
int ctl_remote_explain(struct ctl *ctl, struct vgpu_err *err);
void ctl_remote_finish(struct ctl *ctl);

/*
 * Run 'vgpuctl @arguments' (which end with NULL) there, with its output to
 * @output. Returns what it exits with; what ssh fails by was printed.
 */
enum ctl_exit ctl_remote_run(struct ctl *ctl, const char *const *arguments,
			     int output);

#endif
