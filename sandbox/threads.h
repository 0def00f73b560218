/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run a function in every thread of this process, including the driver's. */
#ifndef VGPU_SANDBOX_THREADS_H
#define VGPU_SANDBOX_THREADS_H

/*
 * Call @call in each thread, from a signal handler in all but this one: it may
 * only do what is safe there. Needs /proc. Returns 0, the first -errno that
 * @call returned, or -ESRCH if a thread did not answer.
 */
int vgpu_each_thread(int (*call)(void *opaque), void *opaque);

#endif
