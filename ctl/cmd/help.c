/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl help: print help, or help for a command. */
#include "ctl/ctl.h"

static enum ctl_exit run(struct ctl *ctl)
{
	const struct ctl_command *command;

	if (!ctl->words[0]) {
		ctl_help();
		return CTL_DONE;
	}
	command = ctl_command_need(ctl->words[0]);
	if (!command)
		return CTL_USAGE;
	ctl_help_of(command);
	return CTL_DONE;
}

const struct ctl_command ctl_command_help = {
	.name = "help",
	.words = "[COMMAND]",
	.summary = "Print help, of a command if one is named",
	.help = "Examples:\n"
		"  vgpuctl help create\n",
	.max_words = 1,
	.values = {CTL_VALUE_COMMAND},
	.run = run,
};
