/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl version: print the version. */
#include "ctl/ctl.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_version();
	return CTL_DONE;
}

const struct ctl_command ctl_command_version = {
	.name = "version",
	.words = "",
	.summary = "Print the version",
	.help = "That of vgpuctl: 'vgpuctl doctor' says the manager's.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl version\n",
	.run = run,
};
