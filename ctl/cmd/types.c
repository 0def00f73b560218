/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl types: list the types, and how many more of each fit. */
#include "ctl/ctl.h"

#include <inttypes.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/table.h"

static void add_resolution(struct ctl_table *table, sd_json_variant *type)
{
	uint64_t width, height;

	if (ctl_json_unsigned(type, "maxWidth", &width) && width > 0 &&
	    ctl_json_unsigned(type, "maxHeight", &height) && height > 0)
		ctl_table_printf(table, "%" PRIu64 "x%" PRIu64, width, height);
	else
		ctl_table_text(table, NULL);
}

static void add_unless_0(struct ctl_table *table, sd_json_variant *type,
			 const char *key)
{
	uint64_t n;

	if (ctl_json_unsigned(type, key, &n) && n > 0)
		ctl_table_printf(table, "%" PRIu64, n);
	else
		ctl_table_text(table, NULL);
}

static enum ctl_exit print_table(sd_json_variant *types)
{
	static const struct ctl_column columns[] = {
		{"TYPE", CTL_LEFT},	    {"ID", CTL_RIGHT},
		{"FRAMEBUFFER", CTL_RIGHT}, {"HEADS", CTL_RIGHT},
		{"RESOLUTION", CTL_RIGHT},  {"FPS", CTL_RIGHT},
		{"WEIGHT", CTL_RIGHT},	    {"HOST MEMORY", CTL_RIGHT},
		{"MAX", CTL_RIGHT},	    {"AVAILABLE", CTL_RIGHT},
		{"GPU", CTL_LEFT},	    {},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);

	/* Only GPUs whose driver has types of its own have these columns. */
	if (!ctl_json_some_has(types, "maxInstances")) {
		ctl_table_leave_out(table, "ID");
		ctl_table_leave_out(table, "MAX");
	}
	if (!ctl_json_some_has(types, "hostMemoryMib"))
		ctl_table_leave_out(table, "HOST MEMORY");
	for (size_t i = 0; i < sd_json_variant_elements(types); i++) {
		sd_json_variant *type = sd_json_variant_by_index(types, i);

		ctl_table_string(table, type, "type");
		ctl_table_number(table, type, "typeId", "");
		ctl_table_number(table, type, "framebufferMib", " MiB");
		ctl_table_number(table, type, "heads", "");
		add_resolution(table, type);
		add_unless_0(table, type, "frameRateLimit");
		add_unless_0(table, type, "weight");
		ctl_table_number(table, type, "hostMemoryMib", " MiB");
		ctl_table_number(table, type, "maxInstances", "");
		ctl_table_number(table, type, "available", "");
		ctl_table_string(table, type, "gpu");
	}
	if (ctl_table_print(table, stdout) < 0)
		return ctl_fail("out of memory");
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *types = NULL;
	enum ctl_exit e;
	int r;

	if (ctl->gpu) {
		r = sd_json_variant_set_field_string(&parameters, "gpu",
						     ctl->gpu);
		if (r < 0)
			return ctl_parameters_failed(r);
	}
	e = ctl_call_array(ctl, "ListTypes", parameters, "types", &types);
	if (e != CTL_DONE)
		return e;
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, types);
	if (sd_json_variant_elements(types) == 0) {
		ctl_note("no type can be made here; 'vgpuctl gpus' says what GPUs there are");
		return CTL_DONE;
	}
	return print_table(types);
}

const struct ctl_command ctl_command_types = {
	.name = "types",
	.words = "[--gpu G] [--json=pretty|short]",
	.summary = "List the types of vGPU and how many more of each fit",
	.help = "  --gpu G   only for this GPU, as 'vgpuctl gpus' names it\n"
		"\n"
		"A type is named by its framebuffer in GB and its series: Q workstation,\n"
		"B desktop, A applications, C compute. RESOLUTION is the largest of one head,\n"
		"HOST MEMORY what its contexts may take of the host beyond the framebuffer.\n"
		"Where a GPU's driver has types of its own, ID is its number of one, by which it\n"
		"can be named too, and MAX how many fit an empty GPU.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl types\n"
		"  vgpuctl types --gpu embedded --json=short\n",
	.options = CTL_OPTION_GPU | CTL_OPTION_JSON,
	.run = run,
};
