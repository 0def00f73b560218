/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes the kernel kills first when the host runs out of memory. */
#include "oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int vgpu_oom_open(void)
{
	return open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
}

void vgpu_oom_set(int fd, int adjustment)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", adjustment);

	if (pwrite(fd, text, (size_t)length, 0) < 0)
		return; /* see oom.h */
}

int vgpu_oom_raise(int fd, int adjustment)
{
	char text[16] = "";
	int before;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return adjustment;
	before = atoi(text);
	if (before < adjustment)
		vgpu_oom_set(fd, adjustment);
	return before;
}
