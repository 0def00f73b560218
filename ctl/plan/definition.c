/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a new vGPU is to be: the options of create and define. */
#include "ctl/plan/definition.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/owner.h"
#include "ctl/common/text.h"
#include "ctl/plan/wanted.h"
#include "lib/util.h"

/* What is in --file, without what options say instead. */
static enum ctl_exit read_file(struct ctl *ctl, sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *value = NULL;
	struct ctl_wanted wanted = {};
	struct vgpu_err err = {};

	if (ctl_wanted_read(ctl->file, &value, &err) < 0 ||
	    ctl_wanted_parse(ctl->file, value, &wanted, &err) < 0)
		return ctl_fail("%s", err.text);
	if (ctl->new_ids &&
	    sd_json_variant_filter(
		    &wanted.definition,
		    (char *[]){(char *)"uuid", (char *)"name", NULL}) < 0) {
		ctl_wanted_finish(&wanted);
		return ctl_fail("out of memory");
	}
	*ret = wanted.definition;
	return CTL_DONE;
}

static int set_strings(struct ctl *ctl, sd_json_variant **ret)
{
	const struct {
		const char *key;
		const char *value;
	} fields[] = {
		{"type", ctl->type},	       {"gpu", ctl->gpu},
		{"name", ctl->name},	       {"uuid", ctl->uuid},
		{"transport", ctl->transport},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < VGPU_ARRAY_SIZE(fields); i++)
		if (fields[i].value)
			r = sd_json_variant_set_field_string(ret, fields[i].key,
							     fields[i].value);
	return r;
}

static int set_numbers(struct ctl *ctl, sd_json_variant **ret)
{
	const struct {
		const char *key;
		bool is_set;
		uint32_t value;
	} fields[] = {
		{"placement", ctl->has_placement, ctl->placement},
		{"weight", ctl->has_weight, ctl->weight},
		{"frameRateLimit", ctl->has_frame_rate_limit,
		 ctl->frame_rate_limit},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < VGPU_ARRAY_SIZE(fields); i++)
		if (fields[i].is_set)
			r = sd_json_variant_set_field_unsigned(
				ret, fields[i].key, fields[i].value);
	return r;
}

/* --mode, of the head --head. */
static int set_mode(struct ctl *ctl, sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *heads = NULL;
	int r;

	r = sd_json_variant_append_arraybo(
		&heads, SD_JSON_BUILD_PAIR_UNSIGNED("head", ctl->head),
		SD_JSON_BUILD_PAIR_UNSIGNED("preferredWidth", ctl->width),
		SD_JSON_BUILD_PAIR_UNSIGNED("preferredHeight", ctl->height));
	return r < 0 ? r : sd_json_variant_set_field(ret, "heads", heads);
}

enum ctl_exit ctl_definition_parameters(struct ctl *ctl, const char *verb,
					sd_json_variant **ret)
{
	enum ctl_exit e;
	int r;

	if (!ctl->type && !ctl->file) {
		ctl_complain(
			"%s needs --type T or --file FILE; 'vgpuctl types' lists the types",
			verb);
		return CTL_USAGE;
	}
	if (ctl->new_ids && !ctl->file) {
		ctl_complain("--new-ids says something of --file: which one?");
		return CTL_USAGE;
	}
	if (ctl->has_head && !ctl->has_mode) {
		ctl_complain("--head says whose mode --mode is: which one?");
		return CTL_USAGE;
	}
	if (ctl->file) {
		e = read_file(ctl, ret);
		if (e != CTL_DONE)
			return e;
	}
	r = set_strings(ctl, ret);
	if (r >= 0)
		r = set_numbers(ctl, ret);
	if (r >= 0 && ctl->has_autostart)
		r = sd_json_variant_set_field_boolean(ret, "autostart",
						      ctl->autostart);
	if (r >= 0 && ctl->container)
		r = sd_json_variant_set_field_boolean(ret, "container", true);
	if (r >= 0 && ctl->has_mode)
		r = set_mode(ctl, ret);
	if (r >= 0 && ctl->owner && !ctl_owner_set(ctl, ret))
		return CTL_USAGE;
	return r < 0 ? ctl_parameters_failed(r) : CTL_DONE;
}

enum ctl_exit ctl_definition_call(struct ctl *ctl, const char *method,
				  sd_json_variant *parameters)
{
	ctl_autojson sd_json_variant *reply = NULL;
	vgpu_autofree char *escaped = NULL;
	const char *uuid;
	enum ctl_exit e;

	e = ctl_call(ctl, method, parameters, &reply);
	if (e != CTL_DONE)
		return e;
	uuid = ctl_json_string(reply, "uuid");
	if (!uuid)
		return ctl_fail_reply(method, "lacks the uuid");
	escaped = ctl_text_escape(uuid);
	if (!escaped)
		return ctl_fail("out of memory");
	puts(escaped);
	return CTL_DONE;
}
