/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces for a child process, and an empty root directory. */
#include "sandbox/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include "lib/util.h"

static const struct {
	unsigned long flags;
	enum vgpu_sandbox_layer layer;
} namespaces[] = {
	{CLONE_NEWPID, VGPU_LAYER_PID}, {CLONE_NEWNET, VGPU_LAYER_NET},
	{CLONE_NEWIPC, VGPU_LAYER_IPC}, {CLONE_NEWUTS, VGPU_LAYER_UTS},
	{CLONE_NEWNS, VGPU_LAYER_ROOT},
};

static int open_root_in_child(void)
{
	int fd = vgpu_empty_root_open();

	return fd < 0 ? -fd : 0;
}

/* Whether a child can be created with these namespaces: 0 or -errno. */
static int try_child(unsigned long flags)
{
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone, flags | CLONE_VFORK | SIGCHLD,
				   NULL, NULL, NULL, NULL);

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(flags & CLONE_NEWNS ? open_root_in_child() : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* All namespaces but those that a test leaves out. */
static unsigned long choose_all(void)
{
	unsigned long flags = CLONE_NEWUSER;

	if (vgpu_sandbox_is_without(VGPU_LAYER_USER))
		return 0; /* all others need it */
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(namespaces); i++)
		if (!vgpu_sandbox_is_without(namespaces[i].layer))
			flags |= namespaces[i].flags;
	return flags;
}

unsigned long vgpu_namespaces_probe(struct vgpu_sandbox_report *report)
{
	unsigned long all = choose_all(), flags = CLONE_NEWUSER;
	int r;

	if (!all || try_child(all) == 0)
		return all;
	r = try_child(CLONE_NEWUSER);
	vgpu_sandbox_report_layer(report, VGPU_LAYER_USER, r);
	if (r < 0)
		return 0;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(namespaces); i++) {
		if (!(all & namespaces[i].flags))
			continue;
		r = try_child(CLONE_NEWUSER | namespaces[i].flags);
		vgpu_sandbox_report_layer(report, namespaces[i].layer, r);
		if (r == 0)
			flags |= namespaces[i].flags;
	}
	return flags;
}

/* Returns whether it is in one now. */
static bool enter_namespace(struct vgpu_sandbox_report *report,
			    unsigned long flag, enum vgpu_sandbox_layer layer)
{
	int r = unshare((int)flag) < 0 ? -errno : 0;

	/* Of a mount namespace only the empty root directory counts. */
	if (r < 0 || layer != VGPU_LAYER_ROOT)
		vgpu_sandbox_report_layer(report, layer, r);
	return r == 0;
}

unsigned long vgpu_namespaces_enter(struct vgpu_sandbox_report *report)
{
	unsigned long all = choose_all() & ~(unsigned long)CLONE_NEWPID;
	unsigned long flags = CLONE_NEWUSER;

	if (!all || !enter_namespace(report, CLONE_NEWUSER, VGPU_LAYER_USER))
		return 0;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(namespaces); i++)
		if (all & namespaces[i].flags &&
		    enter_namespace(report, namespaces[i].flags,
				    namespaces[i].layer))
			flags |= namespaces[i].flags;
	return flags;
}

int vgpu_empty_root_open(void)
{
	vgpu_autoclose int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	/*
	 * The file system is mounted nowhere; it exists while a process is in
	 * it.
	 */
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			     MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

_Bool vgpu_empty_root_is(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
	       fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

int vgpu_empty_root_enter(int fd)
{
	vgpu_autoclose int root = fd;

	if (fchdir(root) < 0 || chroot(".") < 0)
		return -errno;
	return 0;
}
