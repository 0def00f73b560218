/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl start: start a vGPU that is defined. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"

static enum ctl_exit run(struct ctl *ctl)
{
	return ctl_call_vgpu(ctl, "Start");
}

const struct ctl_command ctl_command_start = {
	.name = "start",
	.words = "V",
	.summary = "Start a vGPU that is defined",
	.help = "It is given its framebuffer and can be given to a virtual machine when this\n"
		"returns. One that failed is tried again.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl start cad\n",
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
