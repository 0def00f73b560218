/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: steps of making a vGPU that fail, or take long. */
#ifndef VGPU_KERNEL_MGR_TEST_HOOKS_H
#define VGPU_KERNEL_MGR_TEST_HOOKS_H

#include <linux/types.h>

struct dentry;

/* Steps by their number, from 1: 0 is none. */
struct vgpu_test_hooks {
	u32 fail_step;
	u32 slow_step;
	struct dentry *dir;
};

/*
 * Only in builds with CONFIG_VGPU_TEST_HOOKS=y (kernel/Kbuild): what users
 * install has none of this.
 */
#ifdef CONFIG_VGPU_TEST_HOOKS
/* Files in the folder @dir of debugfs. */
void vgpu_test_hooks_init(struct vgpu_test_hooks *hooks, struct dentry *dir);
void vgpu_test_hooks_finish(struct vgpu_test_hooks *hooks);
/* -EIO: @step is to fail; -EINTR: the caller was killed while it lasted. */
int vgpu_test_hooks_run(const struct vgpu_test_hooks *hooks, u32 step);
#else
static inline void vgpu_test_hooks_init(struct vgpu_test_hooks *hooks,
					struct dentry *dir)
{
}

static inline void vgpu_test_hooks_finish(struct vgpu_test_hooks *hooks)
{
}

static inline int vgpu_test_hooks_run(const struct vgpu_test_hooks *hooks,
				      u32 step)
{
	return 0;
}
#endif

#endif
