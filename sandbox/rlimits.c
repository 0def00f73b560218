/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource limits of confined processes. */
#include "sandbox/rlimits.h"

#include <errno.h>
#include <sys/resource.h>

#include "lib/util.h"

/* A socket for each viewer, and a few more. */
#define VNC_FILES 64
/* Two sockets, one segment at a time, the driver's files, sync files. */
#define RENDER_FILES 1024

struct limit {
	__rlimit_resource_t resource;
	rlim_t max;
};

/* Lower a limit; never raise it. */
static int lower(const struct limit *limit)
{
	struct rlimit now;

	if (getrlimit(limit->resource, &now) < 0)
		return -errno;
	now.rlim_max = VGPU_MIN(now.rlim_max, limit->max);
	now.rlim_cur = now.rlim_max;
	return setrlimit(limit->resource, &now) < 0 ? -errno : 0;
}

int vgpu_sandbox_limit(enum vgpu_sandbox_role role)
{
	/* No core dump: it would hold the guest's memory. */
	static const struct limit all[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_MSGQUEUE, 0},
		{RLIMIT_RTPRIO, 0},
		{RLIMIT_NICE, 0},
	};
	/* One for each framebuffer segment, some thousands at most. */
	struct limit files = {RLIMIT_NOFILE, RLIM_INFINITY};
	struct limit locked = {RLIMIT_MEMLOCK, 0};
	int r = 0;

	if (role == VGPU_SANDBOX_VNC)
		files.max = VNC_FILES;
	if (role == VGPU_SANDBOX_RENDER)
		files.max = RENDER_FILES;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(all) && r == 0; i++)
		r = lower(&all[i]);
	if (r == 0)
		r = lower(&files);
	/* Drivers of hardware GPUs lock memory that they share with it. */
	if (r == 0 && role != VGPU_SANDBOX_RENDER)
		r = lower(&locked);
	return r;
}
