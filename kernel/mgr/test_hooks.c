// SPDX-License-Identifier: GPL-2.0-or-later
/* For tests: steps of making a vGPU that fail, or take long. */
#include "test_hooks.h"

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/sched/signal.h>

#define SLOW_STEP_MS 3000

void vgpu_test_hooks_init(struct vgpu_test_hooks *hooks, struct dentry *dir)
{
	debugfs_create_u32("vgpu_fail_step", 0600, dir, &hooks->fail_step);
	debugfs_create_u32("vgpu_slow_step", 0600, dir, &hooks->slow_step);
	hooks->dir = dir;
}

void vgpu_test_hooks_finish(struct vgpu_test_hooks *hooks)
{
	debugfs_lookup_and_remove("vgpu_fail_step", hooks->dir);
	debugfs_lookup_and_remove("vgpu_slow_step", hooks->dir);
}

int vgpu_test_hooks_run(const struct vgpu_test_hooks *hooks, u32 step)
{
	if (READ_ONCE(hooks->slow_step) == step &&
	    msleep_interruptible(SLOW_STEP_MS) && fatal_signal_pending(current))
		return -EINTR;
	return READ_ONCE(hooks->fail_step) == step ? -EIO : 0;
}
