/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl list: list all vGPUs. */
#include "ctl/ctl.h"

#include <inttypes.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/owner.h"
#include "ctl/common/table.h"
#include "ctl/common/vm.h"
#include "lib/util.h"

static enum ctl_exit print_table(const struct ctl *ctl, sd_json_variant *vgpus)
{
	static const struct ctl_column columns[] = {
		{"UUID", CTL_LEFT},	    {"NAME", CTL_LEFT},
		{"TYPE", CTL_LEFT},	    {"GPU", CTL_LEFT},
		{"FRAMEBUFFER", CTL_RIGHT}, {"HEADS", CTL_RIGHT},
		{"OWNER", CTL_LEFT},	    {"SHARE", CTL_RIGHT},
		{"FRAMES/S", CTL_RIGHT},    {"STATE", CTL_LEFT},
		{"VM", CTL_LEFT},	    {},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);
	bool has_owner = false, has_vm = false;

	for (size_t i = 0; i < sd_json_variant_elements(vgpus); i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(vgpus, i);
		sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");
		vgpu_autofree char *owner = ctl_owner_short_text(ctl, vgpu);
		struct ctl_vm vm;
		uint64_t n;

		ctl_table_string(table, vgpu, "uuid");
		ctl_table_string(table, vgpu, "name");
		ctl_table_string(table, vgpu, "type");
		ctl_table_string(table, vgpu, "gpu");
		ctl_table_number(table, vgpu, "framebufferMib", " MiB");
		if (ctl_json_unsigned(vgpu, "maxHeads", &n))
			ctl_table_printf(table, "%" PRIu64, n);
		else if (sd_json_variant_is_array(heads))
			ctl_table_printf(table, "%zu",
					 sd_json_variant_elements(heads));
		else
			ctl_table_text(table, NULL);
		ctl_table_text(table, owner);
		has_owner |= owner != NULL;
		if (ctl_json_unsigned(vgpu, "grantedPpm", &n))
			ctl_table_printf(table, "%.1f%%", n / 1e4);
		else
			ctl_table_text(table, NULL);
		ctl_table_number(table, vgpu, "framesPerSecond", "");
		ctl_table_state(table, vgpu);
		ctl_vm_of_vgpu(ctl, vgpu, &vm);
		ctl_table_text(table, vm.name);
		has_vm |= vm.name[0] != '\0';
	}
	if (!has_owner)
		ctl_table_leave_out(table, "OWNER");
	if (!ctl_json_some_has(vgpus, "grantedPpm"))
		ctl_table_leave_out(table, "SHARE");
	if (!ctl_json_some_has(vgpus, "framesPerSecond"))
		ctl_table_leave_out(table, "FRAMES/S");
	if (!has_vm)
		ctl_table_leave_out(table, "VM");
	if (ctl_table_print(table, stdout) < 0)
		return ctl_fail("out of memory");
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *vgpus = NULL;
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListVgpus", NULL, "vgpus", &vgpus);
	if (e != CTL_DONE)
		return e;
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, vgpus);
	if (sd_json_variant_elements(vgpus) == 0) {
		ctl_note("no vGPU yet; 'vgpuctl create --type T' makes one");
		return CTL_DONE;
	}
	return print_table(ctl, vgpus);
}

const struct ctl_command ctl_command_list = {
	.name = "list",
	.words = "[--json=pretty|short]",
	.summary = "List the vGPUs",
	.help = "States: defined (not started, no framebuffer held), active (waits for a virtual\n"
		"machine), attached (a virtual machine has it), failed ('vgpuctl show V' says\n"
		"why). One that others made on a virtual function is said to be foreign: it is\n"
		"not destroyed here. SHARE is its part of the GPU's time if all have work,\n"
		"FRAMES/S what its heads showed in the last second, VM the name that its\n"
		"virtual machine has on QEMU's command line. Columns with nothing are left out.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl list\n"
		"  vgpuctl list --json=short | jq -r '.[] | select(.state == \"failed\").uuid'\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
