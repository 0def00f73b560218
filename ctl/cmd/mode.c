/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl mode: change the mode that a head prefers. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	uint32_t width, height;
	enum ctl_exit e;
	int r;

	if (!ctl_size_parse(ctl->words[1], &width, &height)) {
		ctl_complain("'%s' is no mode: write WIDTHxHEIGHT, as in 1920x1080",
			     ctl->words[1]);
		return CTL_USAGE;
	}
	e = ctl_head_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	r = sd_json_variant_set_field_unsigned(&parameters, "width", width);
	if (r >= 0)
		r = sd_json_variant_set_field_unsigned(&parameters, "height",
						       height);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "SetMode", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_mode = {
	.name = "mode",
	.words = "V WIDTHxHEIGHT [--head N]",
	.summary = "Change the mode that a head prefers, while the guest runs",
	.help = "  --head N   the head, counted from 0; else 0\n"
		"\n"
		"The guest's kernel is told at once. A desktop that still shows another mode\n"
		"after 4 s, as Weston does, sees the head unplugged for a moment and plugged in\n"
		"with this one. 0x0 unplugs the head.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl mode cad 2560x1440\n"
		"  vgpuctl mode cad 0x0 --head 1\n",
	.options = CTL_OPTION_HEAD,
	.min_words = 2,
	.max_words = 2,
	.values = {CTL_VALUE_VGPU, CTL_VALUE_MODE},
	.run = run,
};
