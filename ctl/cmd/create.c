/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl create: make a vGPU. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/plan/definition.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;

	e = ctl_definition_parameters(ctl, "create", &parameters);
	return e == CTL_DONE ? ctl_definition_call(ctl, "Create", parameters) : e;
}

const struct ctl_command ctl_command_create = {
	.name = "create",
	.words = CTL_DEFINITION_WORDS,
	.summary = "Make a vGPU, start it, and print its uuid",
	.help = CTL_DEFINITION_HELP(
		"on") "\n"
		      "Its framebuffer is held from now until it is stopped or destroyed. It is what\n"
		      "define and start do.\n"
		      "\n"
		      "Examples:\n"
		      "  vgpuctl create --type 4Q --name cad\n"
		      "  uuid=$(vgpuctl create --type 2B --gpu embedded)\n",
	.options = CTL_DEFINITION_OPTIONS,
	.run = run,
};
