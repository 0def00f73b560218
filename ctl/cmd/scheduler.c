/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl scheduler: show or change how the time of GPUs is shared. */
#include "ctl/ctl.h"

#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/table.h"
#include "lib/util.h"

static enum ctl_exit print_table(sd_json_variant *gpus)
{
	static const struct ctl_column columns[] = {
		{"GPU", CTL_LEFT},
		{"SCHEDULER", CTL_LEFT},
		{"TIME SLICE", CTL_RIGHT},
		{},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);

	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);

		ctl_table_string(table, gpu, "gpu");
		ctl_table_string(table, gpu, "scheduler");
		ctl_table_number(table, gpu, "timeSliceMs", " ms");
	}
	return ctl_table_print(table, stdout) < 0 ? ctl_fail("out of memory")
						  : CTL_DONE;
}

/* Select from @gpus those that --gpu names and whose scheduler is known. */
static int choose(struct ctl *ctl, sd_json_variant *gpus, sd_json_variant **ret)
{
	int r = sd_json_variant_new_array(ret, NULL, 0);

	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);
		const char *name = ctl_json_string(gpu, "gpu");

		if (!ctl_json_string(gpu, "scheduler") ||
		    (ctl->gpu && (!name || strcmp(name, ctl->gpu) != 0)))
			continue;
		r = sd_json_variant_append_array(ret, gpu);
	}
	return r;
}

static enum ctl_exit show(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *gpus = NULL;
	ctl_autojson sd_json_variant *chosen = NULL;
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListGpus", NULL, "gpus", &gpus);
	if (e != CTL_DONE)
		return e;
	if (choose(ctl, gpus, &chosen) < 0)
		return ctl_fail("out of memory");
	if (ctl->gpu && sd_json_variant_elements(chosen) == 0)
		return ctl_fail(
			"the manager shares out the time of no GPU '%s': 'vgpuctl scheduler' lists those it does",
			ctl->gpu);
	return ctl->format == CTL_TEXT ? print_table(chosen)
				       : ctl_print_json(ctl, chosen);
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	int r = 0;

	if (!ctl->words[0] && !ctl->has_time_slice)
		return show(ctl);
	if (ctl->gpu)
		r = sd_json_variant_set_field_string(&parameters, "gpu",
						     ctl->gpu);
	if (r >= 0 && ctl->words[0])
		r = sd_json_variant_set_field_string(&parameters, "scheduler",
						     ctl->words[0]);
	if (r >= 0 && ctl->has_time_slice)
		r = sd_json_variant_set_field_unsigned(
			&parameters, "timeSliceMs", ctl->time_slice);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "SetScheduler", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_scheduler = {
	.name = "scheduler",
	.words = "[S] [--gpu G] [--time-slice MS] [--json=pretty|short]",
	.summary = "Show or change how a GPU's time is shared",
	.help = "  best-effort      who has work gets time by its weight, and what others leave\n"
		"  equal-share      of n that serve each gets 1/n, and no more\n"
		"  fixed-share      each gets the part of the GPU that it is, no more, no less\n"
		"  --time-slice MS  for how long one runs before the others do, 1 to 100; felt\n"
		"                   with equal and fixed shares only\n"
		"  --gpu G          the GPU, as 'gpus' names it; else the embedded one\n"
		"\n"
		"Without a scheduler or a time slice it shows what is in use.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl scheduler\n"
		"  vgpuctl scheduler fixed-share --time-slice 2\n",
	.options = CTL_OPTION_GPU | CTL_OPTION_TIME_SLICE | CTL_OPTION_JSON,
	.max_words = 1,
	.values = {CTL_VALUE_SCHEDULER},
	.run = run,
};
