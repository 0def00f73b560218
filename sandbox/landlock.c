/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock: which files a process can reach, and no signals to others. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/util.h"
#include "sandbox/gpu_nodes.h"
#include "sandbox/report.h"

/* All access rights of some version of the ABI. */
#define FS_1	((1ULL << 13) - 1)
#define FS_2	(FS_1 | LANDLOCK_ACCESS_FS_REFER)
#define FS_3	(FS_2 | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FS_5	(FS_3 | LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define NET_4	(LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP)
#define SCOPE_6 (LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL)

#define READ_FILES                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	 LANDLOCK_ACCESS_FS_READ_DIR)
#define USE_DEVICES                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)

int vgpu_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

_Bool vgpu_landlock_has_scope(void)
{
	return vgpu_landlock_abi() >= 6;
}

/* Fill in all that this kernel can restrict. */
static void fill_attributes(int abi, enum vgpu_landlock_files files,
			    struct landlock_ruleset_attr *attr)
{
	static const uint64_t fs[] = {FS_1, FS_1, FS_2, FS_3, FS_3, FS_5};
	unsigned int last = VGPU_ARRAY_SIZE(fs) - 1;

	*attr = (struct landlock_ruleset_attr){};
	if (!vgpu_sandbox_is_without(VGPU_LAYER_LANDLOCK)) {
		if (files != VGPU_LANDLOCK_ANY_FILES)
			attr->handled_access_fs =
				fs[VGPU_MIN((unsigned int)abi, last)];
		if (abi >= 4)
			attr->handled_access_net = NET_4;
	}
	if (abi >= 6 && !vgpu_sandbox_is_without(VGPU_LAYER_SCOPE))
		attr->scoped = SCOPE_6;
}

/* A path that does not exist needs no rule. */
static int allow_below(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	vgpu_autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset,
		       LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

static int add_rules(int ruleset, uint64_t handled, enum vgpu_landlock_files files)
{
	int r;

	if (handled && files == VGPU_LANDLOCK_GPU_FILES) {
		r = vgpu_gpu_nodes_allow(ruleset, USE_DEVICES & handled);
		return r < 0 ? r
			     : allow_below(ruleset, "/sys", READ_FILES & handled);
	}
	if (!handled || files != VGPU_LANDLOCK_DRIVER_FILES)
		return 0;
	r = allow_below(ruleset, "/", READ_FILES & handled);
	return r < 0 ? r : allow_below(ruleset, "/dev", USE_DEVICES & handled);
}

int vgpu_landlock_prepare(enum vgpu_landlock_files files)
{
	struct landlock_ruleset_attr attr;
	vgpu_autoclose int ruleset = -1;
	int abi = vgpu_landlock_abi();
	int r;

	if (!abi)
		return -EOPNOTSUPP;
	fill_attributes(abi, files, &attr);
	/*
	 * An old version restricts files only; a test may leave out all layers.
	 */
	if (!attr.handled_access_fs && !attr.handled_access_net && !attr.scoped)
		return -EOPNOTSUPP;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
			       0);
	if (ruleset < 0)
		return -errno;
	r = add_rules(ruleset, attr.handled_access_fs, files);
	return r < 0 ? r : vgpu_steal_fd(&ruleset);
}

int vgpu_landlock_restrict(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
