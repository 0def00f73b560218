/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl qemu-args: how QEMU is started with a vGPU. */
#include "ctl.h"

#include "lib/util.h"

#include "manager.h"
#include "message.h"
#include "text.h"

static enum ctl_exit print_words(sd_json_variant *arguments)
{
	for (size_t i = 0; i < sd_json_variant_elements(arguments); i++) {
		vgpu_autofree char *quoted =
			ctl_text_quote(sd_json_variant_string(
				sd_json_variant_by_index(arguments, i)));

		if (!quoted)
			return ctl_fail("out of memory");
		printf("%s%s", i ? " " : "", quoted);
	}
	putchar('\n');
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	sd_json_variant *arguments;
	const char *note;
	enum ctl_exit e;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	e = ctl_call(ctl, "GetQemuArguments", parameters, &reply);
	if (e != CTL_DONE)
		return e;
	arguments = sd_json_variant_by_key(reply, "arguments");
	if (!sd_json_variant_is_array(arguments) ||
	    sd_json_variant_elements(arguments) == 0)
		return ctl_fail_reply("GetQemuArguments", "lacks the arguments");
	for (size_t i = 0; i < sd_json_variant_elements(arguments); i++)
		if (!sd_json_variant_is_string(
			    sd_json_variant_by_index(arguments, i)))
			return ctl_fail_reply("GetQemuArguments",
					      "has an argument that is no string");
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, reply);

	e = print_words(arguments);
	note = ctl_json_string(reply, "note");
	if (e == CTL_DONE && note && note[0])
		ctl_note("note: %s", note);
	return e;
}

const struct ctl_command ctl_command_qemu_args = {
	.name = "qemu-args",
	.words = "V [--json=pretty|short]",
	.summary = "Print the QEMU arguments that attach a vGPU",
	.help = "Prints one line for a shell; what else the virtual machine needs is said on\n"
		"stderr.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl qemu-args cad\n"
		"  eval \"qemu-system-x86_64 disk.img -m 2G -vga none \\\n"
		"      -object memory-backend-memfd,id=mem0,size=2G,share=on \\\n"
		"      -machine memory-backend=mem0 $(vgpuctl qemu-args cad)\"\n"
		"  vgpuctl qemu-args cad --json=short | jq -r '.arguments[]'\n",
	.options = CTL_OPTION_JSON,
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
