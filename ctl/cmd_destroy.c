/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl destroy: end a vGPU and forget it. */
#include "ctl.h"

#include "manager.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (ctl->force) {
		r = sd_json_variant_set_field_boolean(&parameters, "force", true);
		if (r < 0)
			return ctl_parameters_failed(r);
	}
	return ctl_call(ctl, "Destroy", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_destroy = {
	.name = "destroy",
	.words = "V [--force]",
	.summary = "End a vGPU and forget it",
	.help = "  --force   take it away from a virtual machine that has it: what it showed\n"
		"            last stays, its programs lose the GPU, and while its firmware or\n"
		"            boot loader runs, QEMU itself aborts\n"
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
