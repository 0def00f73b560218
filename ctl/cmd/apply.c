/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl apply: make the vGPUs those that a file describes. */
#include "ctl/ctl.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "ctl/plan/apply.h"
#include "lib/util.h"

static enum ctl_exit apply(struct ctl *ctl, const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_step *step = &plan->steps[i];
		ctl_autojson sd_json_variant *reply = NULL;
		vgpu_autofree char *escaped = ctl_text_escape(step->text);
		struct vgpu_err err = {};

		if (ctl_manager_call(ctl, step->method, step->parameters,
				     &reply, &err) < 0)
			return ctl_fail(
				"'%s': %s (%zu of %zu changes were made before)",
				step->text, err.text, i, plan->count);
		if (ctl->format == CTL_TEXT)
			puts(escaped ? escaped : "?");
	}
	return ctl->format == CTL_TEXT ? CTL_DONE : ctl_apply_print(ctl, plan);
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_plan plan = {};
	enum ctl_exit e;

	e = ctl_apply_plan(ctl, ctl->force, &plan);
	if (e == CTL_DONE)
		e = ctl->dry_run ? ctl_apply_print(ctl, &plan)
				 : apply(ctl, &plan);
	ctl_plan_finish(&plan);
	return e;
}

const struct ctl_command ctl_command_apply = {
	.name = "apply",
	.words = "FILE|- [--config NAME] [--dry-run] [--force] [--json=pretty|short]",
	.summary = "Make the vGPUs those that a file describes",
	.help = "  --config NAME   which configuration, of a file that has several\n"
		"  --dry-run       only say what would be changed\n"
		"  --force         end those that a virtual machine has, too\n"
		"\n"
		"FILE describes all vGPUs of this host, in JSON or YAML: what 'vgpuctl list\n"
		"--json' prints, or {\"version\": 1, \"vgpus\": [...]} with the fields of that. Of a\n"
		"vGPU it needs no more than a type; what it does not name is left as it is. Those\n"
		"that are not in it are destroyed. A file of NVIDIA's vGPU Device Manager\n"
		"(version v1, vgpu-configs) describes those of the GPUs that it lists by number.\n"
		"\n"
		"A line for each change: + made, - destroyed, ~ changed. Where all is as the file\n"
		"says nothing is done.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl list --json > vgpus.json; vgpuctl apply vgpus.json --dry-run\n"
		"  vgpuctl apply nvidia.yaml --config A40-4Q\n",
	.options = CTL_OPTION_CONFIG | CTL_OPTION_DRY_RUN | CTL_OPTION_FORCE |
		   CTL_OPTION_JSON,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_FILE},
	.run = run,
};
