/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl define: save the definition of a vGPU. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/plan/definition.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;

	e = ctl_definition_parameters(ctl, "define", &parameters);
	return e == CTL_DONE ? ctl_definition_call(ctl, "Define", parameters) : e;
}

const struct ctl_command ctl_command_define = {
	.name = "define",
	.words = CTL_DEFINITION_WORDS,
	.summary = "Define a vGPU, without starting it, and print its uuid",
	.help = CTL_DEFINITION_HELP(
		"off") "\n"
		       "It holds nothing until it is started: no framebuffer, no process.\n"
		       "\n"
		       "Examples:\n"
		       "  vgpuctl define --type 4Q --name cad\n"
		       "  vgpuctl define --type 2B --mode 1920x1080 --autostart on\n",
	.options = CTL_DEFINITION_OPTIONS,
	.run = run,
};
