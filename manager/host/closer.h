/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Closes fds that came from a device process, in a thread of its own. */
#ifndef VGPU_MANAGER_HOST_CLOSER_H
#define VGPU_MANAGER_HOST_CLOSER_H

/*
 * Start the thread, once, after blocking the event loop's signals. Returns 0 or
 * -errno.
 */
int vgpu_closer_start(void);

/*
 * Close @fd in a thread of its own. The last close of a file that a stranger
 * chose can take as long as the stranger likes (a lingering socket, a file of
 * a file system in userspace); nothing else may wait for it.
 */
void vgpu_closer_close(int fd);

#endif
