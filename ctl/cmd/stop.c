/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl stop: end a vGPU, and keep its definition. */
#include "ctl/ctl.h"

#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"

/*
 * Whether it runs and belongs to the manager. A failed one may still hold
 * framebuffer.
 */
static bool is_stoppable(sd_json_variant *vgpu)
{
	const char *state = ctl_json_string(vgpu, "state");

	return state && strcmp(state, "defined") != 0 &&
	       !ctl_json_is_true(vgpu, "foreign");
}

static bool stop_one(struct ctl *ctl, sd_json_variant *vgpu)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	const char *uuid = ctl_json_string(vgpu, "uuid");
	const char *name = ctl_json_string(vgpu, "name");
	struct vgpu_err err = {};
	ctl_autojson sd_json_variant *reply = NULL;
	int r;

	if (!uuid)
		return ctl_complain("the manager lists a vGPU without a uuid");
	r = sd_json_variant_set_field_string(&parameters, "vgpu", uuid);
	if (r >= 0)
		r = ctl_set_force(ctl, &parameters);
	if (r < 0)
		return ctl_complain("out of memory");
	if (ctl_manager_call(ctl, "Stop", parameters, &reply, &err) < 0)
		return ctl_complain("%s: %s", name ? name : uuid, err.text);
	return true;
}

static enum ctl_exit stop_all(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *vgpus = NULL;
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListVgpus", NULL, "vgpus", &vgpus);
	if (e != CTL_DONE)
		return e;
	for (size_t i = 0; i < sd_json_variant_elements(vgpus); i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(vgpus, i);

		if (is_stoppable(vgpu) && !stop_one(ctl, vgpu))
			e = CTL_FAILED;
	}
	return e;
}

static enum ctl_exit run(struct ctl *ctl)
{
	if (ctl->all == !!ctl->words[0]) {
		ctl_complain("stop which vGPU? name one, or say --all");
		return CTL_USAGE;
	}
	return ctl->all ? stop_all(ctl) : ctl_call_vgpu(ctl, "Stop");
}

const struct ctl_command ctl_command_stop = {
	.name = "stop",
	.words = "V|--all [--force]",
	.summary = "Stop a vGPU: it stays defined, and holds nothing",
	.help = "  --all     every vGPU that is started; those that cannot be stopped are named\n"
		"  --force   take it away from a virtual machine that has it; a virtual function\n"
		"            cannot be taken away\n"
		"\n"
		"Its process ends, and its framebuffer is free for others. It starts again with\n"
		"'vgpuctl start', and when the manager starts if its autostart is on.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl stop cad\n"
		"  vgpuctl stop --all\n",
	.options = CTL_OPTION_ALL | CTL_OPTION_FORCE,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
