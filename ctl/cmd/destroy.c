/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl destroy: end a vGPU and forget it. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"

static enum ctl_exit run(struct ctl *ctl)
{
	return ctl_call_vgpu(ctl, "Destroy");
}

const struct ctl_command ctl_command_destroy = {
	.name = "destroy",
	.words = "V [--force]",
	.summary = "End a vGPU and forget it",
	.help = "  --force   take it away from a virtual machine that has it: what it showed\n"
		"            last stays, its programs lose the GPU, and when it starts again\n"
		"            it finds one that does nothing\n"
		"\n"
		"Examples:\n"
		"  vgpuctl destroy cad\n"
		"  vgpuctl destroy cad --force\n",
	.options = CTL_OPTION_FORCE,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
