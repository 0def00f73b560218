/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl check: whether the vGPUs are those that a file describes. */
#include "ctl/ctl.h"

#include "ctl/common/message.h"
#include "ctl/plan/apply.h"

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_plan plan = {};
	enum ctl_exit e;
	size_t count;

	/* force: nothing is changed, so a vGPU in use is no obstacle. */
	e = ctl_apply_plan(ctl, /* force= */ true, &plan);
	if (e == CTL_DONE)
		e = ctl_apply_print(ctl, &plan);
	count = plan.count;
	ctl_plan_finish(&plan);
	if (e != CTL_DONE || count == 0)
		return e;
	return ctl_fail("the host is not as %s says: %zu difference%s",
			ctl->words[0], count, count == 1 ? "" : "s");
}

const struct ctl_command ctl_command_check = {
	.name = "check",
	.words = "FILE|- [--config NAME] [--json=pretty|short]",
	.summary = "Say whether the vGPUs are those that a file describes",
	.help = "  --config NAME   which configuration, of a file that has several\n"
		"\n"
		"It prints what 'vgpuctl apply' would change, and exits with 1 if that is\n"
		"anything.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl check vgpus.json\n"
		"  vgpuctl check nvidia.yaml --config A40-4Q\n",
	.options = CTL_OPTION_CONFIG | CTL_OPTION_JSON,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_FILE},
	.run = run,
};
