/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl create: make a vGPU. */
#include "ctl.h"

#include "lib/util.h"

#include "manager.h"
#include "message.h"
#include "text.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	vgpu_autofree char *escaped = NULL;
	const struct {
		const char *key;
		const char *value;
	} fields[] = {
		{"type", ctl->type},
		{"gpu", ctl->gpu},
		{"name", ctl->name},
		{"uuid", ctl->uuid},
	};
	const char *uuid;
	enum ctl_exit e;

	if (!ctl->type) {
		ctl_complain("create needs --type T; 'vgpuctl types' lists them");
		return CTL_USAGE;
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(fields); i++) {
		int r = 0;

		if (fields[i].value)
			r = sd_json_variant_set_field_string(
				&parameters, fields[i].key, fields[i].value);
		if (r < 0)
			return ctl_parameters_failed(r);
	}
	if (ctl->has_placement) {
		int r = sd_json_variant_set_field_unsigned(
			&parameters, "placement", ctl->placement);

		if (r < 0)
			return ctl_parameters_failed(r);
	}
	e = ctl_call(ctl, "Create", parameters, &reply);
	if (e != CTL_DONE)
		return e;
	uuid = ctl_json_string(reply, "uuid");
	if (!uuid)
		return ctl_fail_reply("Create", "lacks the uuid");
	escaped = ctl_text_escape(uuid);
	if (!escaped)
		return ctl_fail("out of memory");
	puts(escaped);
	return CTL_DONE;
}

const struct ctl_command ctl_command_create = {
	.name = "create",
	.words = "--type T [--gpu G] [--name N] [--uuid U] [--placement P]",
	.summary = "Make a vGPU and print its uuid",
	.help = "  --type T        its type, as 'vgpuctl types' lists them\n"
		"  --gpu G         the GPU to make it on; else the first one where it fits, of\n"
		"                  hardware if one has the type\n"
		"  --name N        a name, up to 64 of A-Z a-z 0-9 . _ -\n"
		"  --uuid U        its uuid; else a random one\n"
		"  --placement P   where in the framebuffer, as the GPU's driver counts; else\n"
		"                  where it suits best. Of GPUs with virtual functions only\n"
		"\n"
		"Its framebuffer is held from now until it is destroyed, and it is there again\n"
		"after the machine has started again.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl create --type 4Q --name cad\n"
		"  uuid=$(vgpuctl create --type 2B --gpu embedded)\n",
	.options = CTL_OPTION_TYPE | CTL_OPTION_GPU | CTL_OPTION_NAME |
		   CTL_OPTION_UUID | CTL_OPTION_PLACEMENT,
	.run = run,
};
