/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops what a device process inherits from whoever started it. */
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/oom.h"
#include "lib/util.h"

static int close_others(int keep)
{
	int r = 0;

	if (keep < 0)
		return close_range(3, UINT_MAX, 0);
	if (keep > 3)
		r = close_range(3, (unsigned int)keep - 1, 0);
	if (r >= 0)
		r = close_range((unsigned int)keep + 1, UINT_MAX, 0);
	return r;
}

int vgpu_harden(int keep)
{
	vgpu_autoclose int oom = -1;
	struct rlimit files;
	int fd;

	/* What we open must never become stdin, stdout or stderr. */
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		close(fd);

	oom = vgpu_oom_open();
	vgpu_oom_raise(oom, VGPU_OOM_DEVICE);
	umask(0077);
	if (close_others(keep) < 0)
		return -errno;
	/* One fd for each framebuffer segment, some thousands at most. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return 0;
}
