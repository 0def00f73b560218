/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by apply and check: read the file and the host, and compare them. */
#include "ctl/plan/apply.h"

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "lib/util.h"

static enum ctl_exit ask_host(struct ctl *ctl, struct ctl_host *host)
{
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListGpus", NULL, "gpus", &host->gpus);
	if (e == CTL_DONE)
		e = ctl_call_array(ctl, "ListTypes", NULL, "types", &host->types);
	if (e == CTL_DONE)
		e = ctl_call_array(ctl, "ListVgpus", NULL, "vgpus", &host->vgpus);
	return e;
}

/*
 * Ask the manager whether each definition is valid, before anything is changed.
 */
static enum ctl_exit check_all(struct ctl *ctl, const struct ctl_wanted_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		sd_json_variant *d = set->vgpus[i].definition;
		ctl_autojson sd_json_variant *reply = NULL;
		const char *name = ctl_json_string(d, "name");
		struct vgpu_err err = {};

		if (ctl_manager_call(ctl, "CheckDefinition", d, &reply, &err) < 0)
			return ctl_fail("%s: vgpus[%zu]%s%s: %s", ctl->words[0],
					i, name ? ", " : "", name ? name : "",
					err.text);
	}
	return CTL_DONE;
}

static enum ctl_exit make_plan(struct ctl *ctl, struct ctl_host *host,
			       bool force, struct ctl_plan *ret)
{
	ctl_autojson sd_json_variant *value = NULL;
	struct ctl_wanted_set set = {};
	struct vgpu_err err = {};
	enum ctl_exit e;
	int r;

	r = ctl_wanted_read(ctl->words[0], &value, &err);
	if (r < 0)
		return ctl_fail("%s", err.text);
	e = ask_host(ctl, host);
	if (e != CTL_DONE)
		return e;
	r = ctl_wanted_parse_all(ctl->words[0], value, ctl->config, host->gpus,
				 host->types, &set, &err);
	if (r < 0)
		return ctl_fail("%s", err.text);
	e = check_all(ctl, &set);
	if (e == CTL_DONE && ctl_plan_make(host, &set, force, ret, &err) < 0)
		e = ctl_fail("%s", err.text);
	ctl_wanted_set_finish(&set);
	return e;
}

enum ctl_exit ctl_apply_plan(struct ctl *ctl, bool force, struct ctl_plan *ret)
{
	struct ctl_host host = {};
	enum ctl_exit e = make_plan(ctl, &host, force, ret);

	sd_json_variant_unref(host.gpus);
	sd_json_variant_unref(host.types);
	sd_json_variant_unref(host.vgpus);
	return e;
}

static enum ctl_exit print_json(struct ctl *ctl, const struct ctl_plan *plan)
{
	ctl_autojson sd_json_variant *array = NULL;
	int r;

	r = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; r >= 0 && i < plan->count; i++)
		r = sd_json_variant_append_arraybo(
			&array,
			SD_JSON_BUILD_PAIR_STRING("method", plan->steps[i].method),
			SD_JSON_BUILD_PAIR_VARIANT("parameters",
						   plan->steps[i].parameters),
			SD_JSON_BUILD_PAIR_STRING("text", plan->steps[i].text));
	return r < 0 ? ctl_fail("out of memory") : ctl_print_json(ctl, array);
}

enum ctl_exit ctl_apply_print(struct ctl *ctl, const struct ctl_plan *plan)
{
	if (ctl->format != CTL_TEXT)
		return print_json(ctl, plan);
	for (size_t i = 0; i < plan->count; i++) {
		vgpu_autofree char *escaped =
			ctl_text_escape(plan->steps[i].text);

		if (!escaped)
			return ctl_fail("out of memory");
		puts(escaped);
	}
	return CTL_DONE;
}
