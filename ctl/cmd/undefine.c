/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl undefine: forget a vGPU that is not started. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"

static enum ctl_exit run(struct ctl *ctl)
{
	return ctl_call_vgpu(ctl, "Undefine");
}

const struct ctl_command ctl_command_undefine = {
	.name = "undefine",
	.words = "V",
	.summary = "Forget a vGPU that is stopped",
	.help = "One that is started is refused: 'vgpuctl destroy' stops and forgets it.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl undefine cad\n",
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
