/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What it takes to make a host's vGPUs those that a file wants. */
#include "ctl/plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "lib/util.h"

/*
 * In this order: what is to end ends first, so that its framebuffer and its
 * name are free; what is stopped for a change is changed before it starts
 * again; and what runs is changed when all run.
 */
enum pass {
	PASS_END,
	PASS_STOP,
	PASS_CHANGE,
	PASS_MAKE,
	PASS_START,
	PASS_CHANGE_RUNNING,
	PASS_MAX,
};

struct context {
	const struct ctl_host *host;
	const struct ctl_wanted_set *set;
	bool force;
	size_t *matches; /* of each wanted one: which of host->vgpus, from 1 */
	bool *is_taken;	 /* of each of these: it is wanted */
	struct ctl_plan passes[PASS_MAX];
	struct vgpu_err *err;
};

static int out_of_memory(struct context *c)
{
	return vgpu_err_set(c->err, -ENOMEM, NULL, "out of memory");
}

void ctl_plan_finish(struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		sd_json_variant_unref(plan->steps[i].parameters);
		free(plan->steps[i].text);
	}
	free(plan->steps);
	*plan = (struct ctl_plan){};
}

/* Takes a reference to @parameters. */
__attribute__((format(printf, 5, 6))) static int
add_step(struct context *c, enum pass pass, const char *method,
	 sd_json_variant *parameters, const char *fmt, ...)
{
	struct ctl_plan *plan = &c->passes[pass];
	struct ctl_step *more;
	va_list args;
	int r;

	more = reallocarray(plan->steps, plan->count + 1, sizeof(*more));
	if (!more)
		return out_of_memory(c);
	plan->steps = more;
	more += plan->count;
	*more = (struct ctl_step){.method = method};
	va_start(args, fmt);
	r = vasprintf(&more->text, fmt, args);
	va_end(args);
	if (r < 0)
		return out_of_memory(c);
	more->parameters = sd_json_variant_ref(parameters);
	plan->count++;
	return 0;
}

static const char *text_of(sd_json_variant *object, const char *key)
{
	const char *text = ctl_json_string(object, key);

	return text ? text : "";
}

/* What a person calls it. */
static const char *label_of(sd_json_variant *object)
{
	const char *name = text_of(object, "name");

	if (!name[0])
		name = text_of(object, "uuid");
	return name[0] ? name : "a new one";
}

static bool has_state(sd_json_variant *vgpu, const char *state)
{
	return strcmp(text_of(vgpu, "state"), state) == 0;
}

/* It has framebuffer, or waits for it. */
static bool is_started(sd_json_variant *vgpu)
{
	return !has_state(vgpu, "defined") ||
	       sd_json_variant_by_key(vgpu, "framebufferOffsetMib");
}

/* The type that @name says, of @gpu, or of any GPU; NULL: there is none. */
static sd_json_variant *find_type(const struct context *c, const char *gpu,
				  const char *name)
{
	for (size_t i = 0; i < sd_json_variant_elements(c->host->types); i++) {
		sd_json_variant *type =
			sd_json_variant_by_index(c->host->types, i);
		uint64_t number;
		char id[24] = "";

		if (ctl_json_unsigned(type, "typeId", &number))
			snprintf(id, sizeof(id), "%" PRIu64, number);
		if ((!gpu[0] || strcasecmp(text_of(type, "gpu"), gpu) == 0) &&
		    (strcmp(text_of(type, "type"), name) == 0 ||
		     (id[0] && strcmp(id, name) == 0)))
			return type;
	}
	return NULL;
}

static bool is_in_scope(const struct context *c, sd_json_variant *vgpu)
{
	const char *gpu = text_of(vgpu, "gpu");

	if (ctl_json_is_true(vgpu, "foreign"))
		return false;
	if (!c->set->gpus)
		return true;
	for (size_t i = 0; i < sd_json_variant_elements(c->set->gpus); i++)
		if (strcmp(sd_json_variant_string(
				   sd_json_variant_by_index(c->set->gpus, i)),
			   gpu) == 0)
			return true;
	return false;
}

/* --- which is which --- */

/*
 * Whether @vgpu can become what @wanted says: it is on the GPU that that names,
 * if it does, for a container if that is, and reached as it says, if it does.
 */
static bool can_become(sd_json_variant *vgpu, const struct ctl_wanted *wanted)
{
	const char *gpu = text_of(wanted->definition, "gpu");
	const char *transport = text_of(wanted->definition, "transport");
	const char *has = text_of(vgpu, "transport");

	/* Managers that do not say it have one transport only. */
	return (!transport[0] ||
		strcmp(transport, has[0] ? has : "vhost-user") == 0) &&
	       (!gpu[0] || strcasecmp(text_of(vgpu, "gpu"), gpu) == 0) &&
	       ctl_json_is_true(vgpu, "container") ==
		       ctl_json_is_true(wanted->definition, "container");
}

static bool is_called(sd_json_variant *vgpu, const struct ctl_wanted *wanted)
{
	const char *uuid = text_of(wanted->definition, "uuid");
	const char *name = text_of(wanted->definition, "name");

	if (uuid[0])
		return strcasecmp(text_of(vgpu, "uuid"), uuid) == 0;
	return strcmp(text_of(vgpu, "name"), name) == 0;
}

static bool is_nameless(const struct ctl_wanted *wanted)
{
	return !text_of(wanted->definition, "uuid")[0] &&
	       !text_of(wanted->definition, "name")[0];
}

/* How well @vgpu is one that neither name nor uuid tell; 0: not at all. */
static unsigned int rank(const struct context *c, sd_json_variant *vgpu,
			 const struct ctl_wanted *wanted)
{
	sd_json_variant *type = find_type(c, text_of(vgpu, "gpu"),
					  text_of(wanted->definition, "type"));
	unsigned int n = 1;

	if (!type || strcmp(text_of(vgpu, "type"), text_of(type, "type")) != 0 ||
	    !can_become(vgpu, wanted))
		return 0;
	n += 2 * !text_of(vgpu, "name")[0];
	n += !wanted->has_state || is_started(vgpu) == wanted->is_started;
	return n;
}

static void match_one(struct context *c, size_t wanted_index)
{
	const struct ctl_wanted *wanted = &c->set->vgpus[wanted_index];
	unsigned int best = 0;

	for (size_t i = 0; i < sd_json_variant_elements(c->host->vgpus); i++) {
		sd_json_variant *vgpu =
			sd_json_variant_by_index(c->host->vgpus, i);
		unsigned int n;

		if (c->is_taken[i] || !is_in_scope(c, vgpu))
			continue;
		if (is_nameless(wanted))
			n = rank(c, vgpu, wanted);
		else
			n = is_called(vgpu, wanted) && can_become(vgpu, wanted);
		if (n > best) {
			best = n;
			c->matches[wanted_index] = i + 1;
		}
	}
	if (best > 0)
		c->is_taken[c->matches[wanted_index] - 1] = true;
}

static void match_all(struct context *c)
{
	for (size_t i = 0; i < c->set->count; i++)
		if (!is_nameless(&c->set->vgpus[i]))
			match_one(c, i);
	for (size_t i = 0; i < c->set->count; i++)
		if (is_nameless(&c->set->vgpus[i]))
			match_one(c, i);
}

/* --- what differs --- */

static int set_vgpu(struct context *c, sd_json_variant *vgpu,
		    sd_json_variant **parameters)
{
	return sd_json_variant_set_field_string(parameters, "vgpu",
						text_of(vgpu, "uuid")) < 0
		       ? out_of_memory(c)
		       : 0;
}

static int plan_end(struct context *c, enum pass pass, sd_json_variant *vgpu,
		    const char *why)
{
	ctl_autojson sd_json_variant *parameters = NULL;

	if (has_state(vgpu, "attached") && !c->force)
		return vgpu_err_set(
			c->err, -EBUSY, NULL,
			"%s would be %s (%s), and a virtual machine has it: shut that down, or use --force; nothing was changed",
			label_of(vgpu),
			pass == PASS_END ? "destroyed" : "stopped", why);
	if (set_vgpu(c, vgpu, &parameters) < 0 ||
	    (c->force &&
	     sd_json_variant_set_field_boolean(&parameters, "force", true) < 0))
		return out_of_memory(c);
	if (pass == PASS_END)
		return add_step(c, pass, "Destroy", parameters,
				"- %s: %s on %s, %s", label_of(vgpu),
				text_of(vgpu, "type"), text_of(vgpu, "gpu"), why);
	return add_step(c, pass, "Stop", parameters, "~ %s: stop (%s)",
			label_of(vgpu), why);
}

static int plan_start(struct context *c, sd_json_variant *vgpu)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	const char *failure = text_of(vgpu, "failure");

	if (set_vgpu(c, vgpu, &parameters) < 0)
		return -ENOMEM;
	return add_step(c, PASS_START, "Start", parameters, "~ %s: start%s%s%s",
			label_of(vgpu), failure[0] ? " (it failed: " : "",
			failure, failure[0] ? ")" : "");
}

static int plan_new(struct context *c, const struct ctl_wanted *wanted,
		    sd_json_variant *type)
{
	ctl_autojson sd_json_variant *parameters =
		sd_json_variant_ref(wanted->definition);
	bool is_to_start = wanted->is_started || !wanted->has_state;
	const char *gpu = text_of(parameters, "gpu");

	/* What a file wants is there after the machine has started again. */
	if (!sd_json_variant_by_key(parameters, "autostart") &&
	    sd_json_variant_set_field_boolean(&parameters, "autostart",
					      is_to_start) < 0)
		return out_of_memory(c);
	return add_step(c, PASS_MAKE, is_to_start ? "Create" : "Define",
			parameters, "+ %s: %s%s%s%s", label_of(parameters),
			text_of(type, "type"), gpu[0] ? " on " : "", gpu,
			is_to_start ? "" : ", not started");
}

/* Adds to *text, which says what is changed. */
__attribute__((format(printf, 3, 4))) static int
add_text(struct context *c, char **text, const char *fmt, ...)
{
	vgpu_autofree char *more = NULL;
	char *all;
	va_list args;
	int r;

	va_start(args, fmt);
	r = vasprintf(&more, fmt, args);
	va_end(args);
	if (r < 0) {
		more = NULL;
		return out_of_memory(c);
	}
	if (asprintf(&all, "%s%s%s", *text ? *text : "", *text ? ", " : "",
		     more) < 0)
		return out_of_memory(c);
	free(*text);
	*text = all;
	return 0;
}

static int diff_number(struct context *c, const char *key, sd_json_variant *d,
		       sd_json_variant *vgpu, bool always,
		       sd_json_variant **parameters, char **text)
{
	uint64_t is = 0, is_to_be;
	bool is_known = ctl_json_unsigned(vgpu, key, &is);

	if (!ctl_json_unsigned(d, key, &is_to_be) ||
	    (is_known && is == is_to_be && !always))
		return 0;
	if (sd_json_variant_set_field_unsigned(parameters, key, is_to_be) < 0)
		return out_of_memory(c);
	return add_text(c, text, "%s %" PRIu64 " -> %" PRIu64, key, is, is_to_be);
}

static int plan_modify(struct context *c, const struct ctl_wanted *wanted,
		       sd_json_variant *vgpu, sd_json_variant *type,
		       bool is_other_type, enum pass pass)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	vgpu_autofree char *text = NULL;
	sd_json_variant *d = wanted->definition;
	const char *name = text_of(d, "name");
	sd_json_variant *autostart = sd_json_variant_by_key(d, "autostart");
	int r = 0;

	if (name[0] && strcmp(name, text_of(vgpu, "name")) != 0) {
		if (sd_json_variant_set_field_string(&parameters, "name", name) <
		    0)
			return out_of_memory(c);
		r = add_text(c, &text, "name %s -> %s", text_of(vgpu, "name"),
			     name);
	}
	if (r == 0 && is_other_type) {
		if (sd_json_variant_set_field_string(&parameters, "type",
						     text_of(type, "type")) < 0)
			return out_of_memory(c);
		r = add_text(c, &text, "type %s -> %s", text_of(vgpu, "type"),
			     text_of(type, "type"));
	}
	if (r == 0)
		r = diff_number(c, "weight", d, vgpu, is_other_type,
				&parameters, &text);
	if (r == 0)
		r = diff_number(c, "frameRateLimit", d, vgpu, is_other_type,
				&parameters, &text);
	if (r == 0)
		r = diff_number(c, "ownerUid", d, vgpu, false, &parameters,
				&text);
	if (r == 0)
		r = diff_number(c, "ownerGid", d, vgpu, false, &parameters,
				&text);
	if (r == 0 && autostart &&
	    sd_json_variant_boolean(autostart) !=
		    ctl_json_is_true(vgpu, "autostart")) {
		if (sd_json_variant_set_field(&parameters, "autostart",
					      autostart) < 0)
			return out_of_memory(c);
		r = add_text(c, &text, "autostart %s",
			     sd_json_variant_boolean(autostart) ? "on" : "off");
	}
	if (r < 0 || !parameters)
		return r;
	r = set_vgpu(c, vgpu, &parameters);
	return r < 0 ? r
		     : add_step(c, pass, "Modify", parameters, "~ %s: %s",
				label_of(vgpu), text);
}

static sd_json_variant *find_head(sd_json_variant *vgpu, uint64_t number)
{
	sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");

	for (size_t i = 0; i < sd_json_variant_elements(heads); i++) {
		sd_json_variant *head = sd_json_variant_by_index(heads, i);
		uint64_t n;

		if (ctl_json_unsigned(head, "head", &n) && n == number)
			return head;
	}
	return NULL;
}

static int plan_mode(struct context *c, sd_json_variant *wanted,
		     sd_json_variant *vgpu, sd_json_variant *head, bool always,
		     enum pass pass)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	uint64_t number = 0, width, height, old_width = 0, old_height = 0;

	ctl_json_unsigned(wanted, "head", &number);
	if (!ctl_json_unsigned(wanted, "preferredWidth", &width) ||
	    !ctl_json_unsigned(wanted, "preferredHeight", &height))
		return 0;
	ctl_json_unsigned(head, "preferredWidth", &old_width);
	ctl_json_unsigned(head, "preferredHeight", &old_height);
	if (head && !always && width == old_width && height == old_height)
		return 0;
	if (set_vgpu(c, vgpu, &parameters) < 0 ||
	    sd_json_variant_set_field_unsigned(&parameters, "head", number) < 0 ||
	    sd_json_variant_set_field_unsigned(&parameters, "width", width) < 0 ||
	    sd_json_variant_set_field_unsigned(&parameters, "height", height) < 0)
		return out_of_memory(c);
	return add_step(c, pass, "SetMode", parameters,
			"~ %s: head %" PRIu64 " mode %" PRIu64 "x%" PRIu64
			" -> %" PRIu64 "x%" PRIu64,
			label_of(vgpu), number, old_width, old_height, width,
			height);
}

static int plan_vnc(struct context *c, sd_json_variant *wanted,
		    sd_json_variant *vgpu, sd_json_variant *head, enum pass pass)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	const char *address = text_of(wanted, "vnc");
	const char *old = text_of(head, "vnc");
	bool has_input = ctl_json_is_true(wanted, "vncInput");
	/* What is not mentioned stays as it is. */
	bool is_other = sd_json_variant_by_key(wanted, "vncInput") &&
			has_input != ctl_json_is_true(head, "vncInput");
	uint64_t number = 0;

	if (strcmp(address, old) == 0 && !(address[0] && is_other))
		return 0;
	if (address[0] && ctl_json_is_true(head, "vncPassword"))
		return vgpu_err_set(
			c->err, -EINVAL, NULL,
			"%s: its VNC server has a password, which no file says: change the server by 'vgpuctl vnc'; nothing was changed",
			label_of(vgpu));
	ctl_json_unsigned(wanted, "head", &number);
	if (set_vgpu(c, vgpu, &parameters) < 0 ||
	    sd_json_variant_set_field_unsigned(&parameters, "head", number) < 0 ||
	    (address[0] && sd_json_variant_set_field_string(
				   &parameters, "address", address) < 0) ||
	    (address[0] && !has_input &&
	     sd_json_variant_set_field_boolean(&parameters, "viewOnly", true) < 0))
		return out_of_memory(c);
	return add_step(c, pass, "SetVnc", parameters,
			"~ %s: head %" PRIu64 " vnc %s -> %s%s", label_of(vgpu),
			number, old[0] ? old : "off",
			address[0] ? address : "off",
			has_input ? ", with input" : "");
}

static int plan_heads(struct context *c, const struct ctl_wanted *wanted,
		      sd_json_variant *vgpu, bool is_other_type, enum pass pass)
{
	sd_json_variant *heads =
		sd_json_variant_by_key(wanted->definition, "heads");
	int r = 0;

	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(heads); i++) {
		sd_json_variant *one = sd_json_variant_by_index(heads, i), *head;
		uint64_t number = 0;

		ctl_json_unsigned(one, "head", &number);
		head = find_head(vgpu, number);
		r = plan_mode(c, one, vgpu, head, is_other_type, pass);
		if (r == 0)
			r = plan_vnc(c, one, vgpu, head, pass);
	}
	return r;
}

static int plan_change(struct context *c, const struct ctl_wanted *wanted,
		       sd_json_variant *vgpu, sd_json_variant *type)
{
	bool was_started = is_started(vgpu);
	bool is_other_type = type && strcmp(text_of(type, "type"),
					    text_of(vgpu, "type")) != 0;
	bool is_to_run = wanted->has_state ? wanted->is_started : was_started;
	bool is_to_stop = was_started && (!is_to_run || is_other_type);
	enum pass pass =
		was_started && !is_to_stop ? PASS_CHANGE_RUNNING : PASS_CHANGE;
	int r = 0;

	if (is_to_stop)
		r = plan_end(c, PASS_STOP, vgpu,
			     is_to_run ? "it becomes of another type"
				       : "it is not to run");
	if (r == 0)
		r = plan_modify(c, wanted, vgpu, type, is_other_type, pass);
	if (r == 0)
		r = plan_heads(c, wanted, vgpu, is_other_type, pass);
	if (r == 0 && is_to_run &&
	    (is_to_stop || !was_started || has_state(vgpu, "failed")))
		r = plan_start(c, vgpu);
	return r;
}

/* Those that are not wanted, or not on their GPU, or not for what they are for. */
static int plan_ends(struct context *c)
{
	int r = 0;

	for (size_t i = 0;
	     r == 0 && i < sd_json_variant_elements(c->host->vgpus); i++) {
		sd_json_variant *vgpu =
			sd_json_variant_by_index(c->host->vgpus, i);

		if (!c->is_taken[i] && is_in_scope(c, vgpu))
			r = plan_end(c, PASS_END, vgpu, "which is not wanted");
	}
	return r;
}

static int plan_all(struct context *c)
{
	int r;

	match_all(c);
	r = plan_ends(c);
	for (size_t i = 0; r == 0 && i < c->set->count; i++) {
		const struct ctl_wanted *wanted = &c->set->vgpus[i];
		sd_json_variant *vgpu = NULL, *type = NULL;

		if (c->matches[i] > 0)
			vgpu = sd_json_variant_by_index(c->host->vgpus,
							c->matches[i] - 1);
		type = find_type(c,
				 text_of(vgpu ? vgpu : wanted->definition, "gpu"),
				 text_of(wanted->definition, "type"));
		r = vgpu ? plan_change(c, wanted, vgpu, type)
			 : plan_new(c, wanted, type);
	}
	return r;
}

/* One plan of all passes, which become empty. */
static int join(struct context *c, struct ctl_plan *ret)
{
	struct ctl_plan plan = {};
	size_t n = 0;

	for (size_t i = 0; i < PASS_MAX; i++)
		n += c->passes[i].count;
	plan.steps = calloc(n + 1, sizeof(*plan.steps));
	if (!plan.steps)
		return out_of_memory(c);
	for (size_t i = 0; i < PASS_MAX; i++) {
		struct ctl_plan *pass = &c->passes[i];

		for (size_t j = 0; j < pass->count; j++)
			plan.steps[plan.count++] = pass->steps[j];
		pass->count = 0; /* the steps are plan's now */
	}
	*ret = plan;
	return 0;
}

int ctl_plan_make(const struct ctl_host *host, const struct ctl_wanted_set *set,
		  bool force, struct ctl_plan *ret, struct vgpu_err *err)
{
	vgpu_autofree size_t *matches = calloc(set->count + 1, sizeof(*matches));
	vgpu_autofree bool *is_taken = calloc(
		sd_json_variant_elements(host->vgpus) + 1, sizeof(*is_taken));
	struct context c = {
		.host = host,
		.set = set,
		.force = force,
		.matches = matches,
		.is_taken = is_taken,
		.err = err,
	};
	int r;

	r = matches && is_taken ? plan_all(&c) : out_of_memory(&c);
	if (r == 0)
		r = join(&c, ret);
	for (size_t i = 0; i < PASS_MAX; i++)
		ctl_plan_finish(&c.passes[i]);
	return r;
}
