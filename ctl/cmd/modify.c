/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl modify: change the definition of a vGPU. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/owner.h"

/* Change everything but the mode. */
static enum ctl_exit modify(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r = 0;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (ctl->name)
		r = sd_json_variant_set_field_string(&parameters, "name",
						     ctl->name);
	if (r >= 0 && ctl->type)
		r = sd_json_variant_set_field_string(&parameters, "type",
						     ctl->type);
	if (r >= 0 && ctl->has_autostart)
		r = sd_json_variant_set_field_boolean(&parameters, "autostart",
						      ctl->autostart);
	if (r >= 0 && ctl->has_weight)
		r = sd_json_variant_set_field_unsigned(&parameters, "weight",
						       ctl->weight);
	if (r >= 0 && ctl->has_frame_rate_limit)
		r = sd_json_variant_set_field_unsigned(
			&parameters, "frameRateLimit", ctl->frame_rate_limit);
	if (r < 0)
		return ctl_parameters_failed(r);
	if (ctl->owner && !ctl_owner_set(ctl, &parameters))
		return CTL_USAGE;
	return ctl_call(ctl, "Modify", parameters, /* ret_reply= */ NULL);
}

static enum ctl_exit set_mode(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r;

	/* Use its new name from here on. */
	if (ctl->name && ctl->name[0])
		ctl->words[0] = ctl->name;
	e = ctl_head_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	r = sd_json_variant_set_field_unsigned(&parameters, "width", ctl->width);
	if (r >= 0)
		r = sd_json_variant_set_field_unsigned(&parameters, "height",
						       ctl->height);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "SetMode", parameters, /* ret_reply= */ NULL);
}

static enum ctl_exit run(struct ctl *ctl)
{
	bool has_more = ctl->name || ctl->type || ctl->owner ||
			ctl->has_autostart || ctl->has_weight ||
			ctl->has_frame_rate_limit;
	enum ctl_exit e = CTL_DONE;

	if (!has_more && !ctl->has_mode) {
		ctl_complain("modify what? 'vgpuctl modify --help' says");
		return CTL_USAGE;
	}
	if (ctl->has_head && !ctl->has_mode) {
		ctl_complain("--head says whose mode --mode is: which one?");
		return CTL_USAGE;
	}
	if (has_more)
		e = modify(ctl);
	if (e == CTL_DONE && ctl->has_mode)
		e = set_mode(ctl);
	return e;
}

const struct ctl_command ctl_command_modify = {
	.name = "modify",
	.words = "V [--name N] [--type T] [--owner USER[:GROUP]] [--mode WIDTHxHEIGHT [--head N]] [--autostart on|off] [--weight N] [--frame-rate-limit N]",
	.summary = "Change what a vGPU is",
	.help = "  --name N              its name, '' for none\n"
		"  --type T              its type, with the weight, the limit and the modes that\n"
		"                        it can have; while it is stopped only\n"
		"  --owner USER[:GROUP]  whose it is, as of create; whoever is connected stays so\n"
		"  --mode WIDTHxHEIGHT   the mode that a head prefers, as of 'vgpuctl mode'\n"
		"  --head N              that head, counted from 0; else 0\n"
		"  --autostart on|off    start it when the manager starts\n"
		"  --weight N            its share of the GPU's time against others, 1 to 10000\n"
		"  --frame-rate-limit N  the most frames a second of a head, 1 to 240; 0: any\n"
		"\n"
		"Until it is changed it is the type's. It holds at once, and for good.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl modify cad --weight 800\n"
		"  vgpuctl modify cad --name drawing --frame-rate-limit 30\n",
	.options = CTL_OPTION_NAME | CTL_OPTION_TYPE | CTL_OPTION_OWNER |
		   CTL_OPTION_MODE | CTL_OPTION_HEAD | CTL_OPTION_AUTOSTART |
		   CTL_OPTION_WEIGHT | CTL_OPTION_FRAME_RATE_LIMIT,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
