/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl autostart: whether the manager starts a vGPU. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	bool is_on;
	int r;

	if (!ctl_switch_parse(ctl->words[1], &is_on)) {
		ctl_complain("autostart is 'on' or 'off', not '%s'",
			     ctl->words[1]);
		return CTL_USAGE;
	}
	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	r = sd_json_variant_set_field_boolean(&parameters, "autostart", is_on);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "Modify", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_autostart = {
	.name = "autostart",
	.words = "V on|off",
	.summary = "Say whether a vGPU starts when the manager starts",
	.help = "It changes nothing now: 'vgpuctl start' and 'vgpuctl stop' do.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl autostart cad on\n",
	.min_words = 2,
	.max_words = 2,
	.values = {CTL_VALUE_VGPU, CTL_VALUE_SWITCH},
	.run = run,
};
