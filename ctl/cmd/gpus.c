/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl gpus: the GPUs of this machine. */
#include "ctl/ctl.h"

#include <inttypes.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/table.h"

/* "3 of 32": VFs with a type, of all that the GPU has or can enable. */
static void add_vfs(struct ctl_table *table, sd_json_variant *gpu)
{
	uint64_t total, enabled, used;

	if (!ctl_json_unsigned(gpu, "vfsTotal", &total) ||
	    !ctl_json_unsigned(gpu, "vfsEnabled", &enabled) ||
	    !ctl_json_unsigned(gpu, "vfsUsed", &used))
		ctl_table_text(table, NULL);
	else if (enabled == 0)
		ctl_table_printf(table, "%" PRIu64 " of %" PRIu64 ", off", used,
				 total);
	else
		ctl_table_printf(table, "%" PRIu64 " of %" PRIu64, used, enabled);
}

static enum ctl_exit print_table(sd_json_variant *gpus)
{
	static const struct ctl_column columns[] = {
		{"GPU", CTL_LEFT},	{"NAME", CTL_LEFT},
		{"PROVIDER", CTL_LEFT}, {"FRAMEBUFFER", CTL_RIGHT},
		{"FREE", CTL_RIGHT},	{"READY", CTL_RIGHT},
		{"VGPUS", CTL_RIGHT},	{"VFS", CTL_RIGHT},
		{"DRIVER", CTL_LEFT},	{},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);
	size_t count = sd_json_variant_elements(gpus);

	if (!ctl_json_some_has(gpus, "vfsTotal"))
		ctl_table_leave_out(table, "VFS");
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);

		ctl_table_string(table, gpu, "gpu");
		ctl_table_string(table, gpu, "name");
		ctl_table_string(table, gpu, "provider");
		ctl_table_number(table, gpu, "framebufferMib", " MiB");
		ctl_table_number(table, gpu, "freeMib", " MiB");
		ctl_table_number(table, gpu, "readyMib", " MiB");
		ctl_table_number(table, gpu, "vgpus", "");
		add_vfs(table, gpu);
		ctl_table_string(table, gpu, "driver");
	}
	if (ctl_table_print(table, stdout) < 0)
		return ctl_fail("out of memory");

	for (size_t i = 0; i < count; i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);
		const char *name = ctl_json_string(gpu, "gpu");
		const char *why = ctl_json_string(gpu, "unusable");

		if (why)
			ctl_note("%s: no vGPU can be made on it: %s",
				 name ? name : "?", why);
	}
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *gpus = NULL;
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListGpus", NULL, "gpus", &gpus);
	if (e != CTL_DONE)
		return e;
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, gpus);
	if (sd_json_variant_elements(gpus) == 0) {
		ctl_note("no GPU; 'vgpuctl doctor' says what is missing");
		return CTL_DONE;
	}
	return print_table(gpus);
}

const struct ctl_command ctl_command_gpus = {
	.name = "gpus",
	.words = "[--json=pretty|short]",
	.summary = "List the GPUs of this machine",
	.help = "FRAMEBUFFER is what there is for vGPUs, FREE what no vGPU has, READY what of\n"
		"that a new vGPU is given without waiting, VFS how many virtual functions have a\n"
		"type, where GPUs have any. Why a GPU cannot be used is said on stderr, and in\n"
		"the JSON.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl gpus\n"
		"  vgpuctl gpus --json=short | jq -r '.[].gpu'\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
