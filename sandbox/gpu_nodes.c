/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device nodes that a GPU's driver has opened. */
#include "sandbox/gpu_nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/major.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/util.h"

/* So many fds are looked at; a driver opens some ten. */
#define FDS_MAX 1024

/* /dev/null, terminals, /dev/udmabuf: no GPU's. */
static bool is_of_all(unsigned int number)
{
	return number == MEM_MAJOR || number == TTYAUX_MAJOR ||
	       number == MISC_MAJOR ||
	       (number >= UNIX98_PTY_SLAVE_MAJOR &&
		number < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

static bool is_gpu_node(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       !is_of_all(major(st.st_rdev));
}

bool vgpu_gpu_node_is_open(void)
{
	for (int fd = 3; fd < FDS_MAX; fd++)
		if (is_gpu_node(fd))
			return true;
	return false;
}

int vgpu_gpu_nodes_allow(int ruleset, uint64_t access)
{
	for (int fd = 3; fd < FDS_MAX; fd++) {
		struct landlock_path_beneath_attr rule = {.allowed_access =
								  access};
		vgpu_autoclose int node = -1;
		char path[64];

		if (!is_gpu_node(fd))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		node = open(path, O_PATH | O_CLOEXEC);
		if (node < 0)
			return -errno;
		rule.parent_fd = node;
		if (syscall(SYS_landlock_add_rule, ruleset,
			    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return -errno;
	}
	return 0;
}
