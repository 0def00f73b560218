/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl modify: change a vGPU's share while it runs. */
#include "ctl.h"

#include "manager.h"
#include "message.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r = 0;

	if (!ctl->has_weight && !ctl->has_frame_rate_limit) {
		ctl_complain("modify what? --weight or --frame-rate-limit");
		return CTL_USAGE;
	}
	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (ctl->has_weight)
		r = sd_json_variant_set_field_unsigned(&parameters, "weight",
						       ctl->weight);
	if (r >= 0 && ctl->has_frame_rate_limit)
		r = sd_json_variant_set_field_unsigned(
			&parameters, "frameRateLimit", ctl->frame_rate_limit);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "Modify", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_modify = {
	.name = "modify",
	.words = "V [--weight N] [--frame-rate-limit N]",
	.summary = "Change a vGPU's share, while it runs",
	.help = "  --weight N            its share of the GPU's time against others, 1 to 10000\n"
		"  --frame-rate-limit N  the most frames a second of a head, 1 to 240; 0: any\n"
		"\n"
		"Until it is changed it is the type's. It holds at once, and for good.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl modify cad --weight 800\n"
		"  vgpuctl modify cad --frame-rate-limit 30\n",
	.options = CTL_OPTION_WEIGHT | CTL_OPTION_FRAME_RATE_LIMIT,
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
