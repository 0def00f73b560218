/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that say what vGPUs are wanted. */
#include "ctl/plan/wanted.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/plan/yaml.h"
#include "lib/util.h"

#define FILE_MAX (1024 * 1024) /* 4,000 vGPUs as `vgpuctl list` prints them */

enum kind {
	STRING,
	NUMBER,
	SWITCH,
	HEADS,
	LIST, /* of what is told, and not read */
};

/* What a vGPU is, and what is told of it besides. */
static const struct {
	const char *key;
	enum kind kind;
	bool is_definition;
} fields[] = {
	{"type", STRING, true},
	{"gpu", STRING, true},
	{"name", STRING, true},
	{"uuid", STRING, true},
	{"placement", NUMBER, true},
	{"weight", NUMBER, true},
	{"frameRateLimit", NUMBER, true},
	{"autostart", SWITCH, true},
	{"ownerUid", NUMBER, true},
	{"ownerGid", NUMBER, true},
	{"heads", HEADS, true},
	{"container", SWITCH, true},
	{"transport", STRING, true},
	{"state", STRING, false},
	{"pinned", SWITCH, false},
	{"foreign", SWITCH, false},
	{"provider", STRING, false},
	{"failure", STRING, false},
	{"socket", STRING, false},
	{"sysfsPath", STRING, false},
	{"cdiDevice", STRING, false},
	{"framebufferMib", NUMBER, false},
	{"framebufferOffsetMib", NUMBER, false},
	{"usedBytes", NUMBER, false},
	{"hostMemoryMib", NUMBER, false},
	{"devicePid", NUMBER, false},
	{"vmPid", NUMBER, false},
	{"clientPid", NUMBER, false},
	{"restarts", NUMBER, false},
	{"commands", NUMBER, false},
	{"errors", NUMBER, false},
	{"vf", NUMBER, false},
	{"pciAddress", STRING, false},
	{"typeId", NUMBER, false},
	{"maxHeads", NUMBER, false},
	{"guestDriver", STRING, false},
	{"graphicsNs", NUMBER, false},
	{"encoderNs", NUMBER, false},
	{"decoderNs", NUMBER, false},
	{"execQuantumMs", NUMBER, false},
	{"preemptTimeoutUs", NUMBER, false},
	{"schedulingPriority", STRING, false},
	{"frames", NUMBER, false},
	{"queueDepth", NUMBER, false},
	{"grantedPpm", NUMBER, false},
	{"cpuUsec", NUMBER, false},
	{"memoryBytes", NUMBER, false},
	{"memoryMaxBytes", NUMBER, false},
	{"threads", NUMBER, false},
	{"contexts", NUMBER, false},
	{"submits", NUMBER, false},
	{"contextsLost", LIST, false},
	{"refusals", LIST, false},
	{"frameIntervals", LIST, false},
	{"frameIntervalsUsec", NUMBER, false},
	{"framesPerSecond", NUMBER, false},
};

/* The same of a head. */
static const struct {
	const char *key;
	enum kind kind;
	bool is_definition;
} head_fields[] = {
	{"head", NUMBER, true},
	{"preferredWidth", NUMBER, true},
	{"preferredHeight", NUMBER, true},
	{"vnc", STRING, true},
	{"vncInput", SWITCH, true},
	{"width", NUMBER, false},
	{"height", NUMBER, false},
	{"vncClients", NUMBER, false},
	{"vncPassword", SWITCH, false},
};

#define FIELDS_MAX 64 /* as many bits as a set of them has */
static_assert(VGPU_ARRAY_SIZE(fields) <= FIELDS_MAX, "a bit for each");

static int out_of_memory(struct vgpu_err *err)
{
	return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
}

static int check_kind(const char *where, const char *key, enum kind kind,
		      sd_json_variant *value, struct vgpu_err *err)
{
	static const char *const names[] = {
		[STRING] = "a string",
		[NUMBER] = "a whole number, not negative",
		[SWITCH] = "true or false",
		[HEADS] = "an array",
		[LIST] = "an array",
	};
	bool is_right = false;

	switch (kind) {
	case STRING:
		is_right = sd_json_variant_is_string(value);
		break;
	case NUMBER:
		/* 5.0 and 1e300 are not how anybody writes one. */
		is_right = sd_json_variant_type(value) != SD_JSON_VARIANT_REAL &&
			   sd_json_variant_is_unsigned(value) &&
			   sd_json_variant_unsigned(value) <= INT64_MAX;
		break;
	case SWITCH:
		is_right = sd_json_variant_is_boolean(value);
		break;
	case HEADS:
	case LIST:
		is_right = sd_json_variant_is_array(value);
		break;
	}
	if (is_right)
		return 0;
	return vgpu_err_set(err, -EINVAL, NULL, "%s: '%s' must be %s", where,
			    key, names[kind]);
}

/* Note that field @i of @key was seen. */
static int check_once(const char *where, const char *key, size_t i,
		      uint64_t *seen, struct vgpu_err *err)
{
	if (*seen & 1ULL << i)
		return vgpu_err_set(err, -EINVAL, NULL, "%s: '%s' comes twice",
				    where, key);
	*seen |= 1ULL << i;
	return 0;
}

static int parse_head(const char *where, sd_json_variant *object,
		      sd_json_variant **ret, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *head = NULL;
	uint64_t seen = 0;
	int r;

	if (!sd_json_variant_is_object(object))
		return vgpu_err_set(err, -EINVAL, NULL, "%s is no object", where);
	for (size_t i = 0; i + 1 < sd_json_variant_elements(object); i += 2) {
		const char *key = sd_json_variant_string(
			sd_json_variant_by_index(object, i));
		sd_json_variant *value = sd_json_variant_by_index(object, i + 1);
		size_t j = 0;

		while (j < VGPU_ARRAY_SIZE(head_fields) &&
		       strcmp(head_fields[j].key, key) != 0)
			j++;
		if (j == VGPU_ARRAY_SIZE(head_fields))
			return vgpu_err_set(err, -EINVAL, NULL,
					    "%s: there is no field '%s' of a head",
					    where, key);
		r = check_once(where, key, j, &seen, err);
		if (r < 0)
			return r;
		if (sd_json_variant_is_null(value))
			continue;
		r = check_kind(where, key, head_fields[j].kind, value, err);
		if (r < 0)
			return r;
		if (head_fields[j].is_definition &&
		    sd_json_variant_set_field(&head, key, value) < 0)
			return out_of_memory(err);
	}
	if (!sd_json_variant_by_key(head, "head"))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s: 'head' is missing, its number", where);
	if (!sd_json_variant_by_key(head, "preferredWidth") !=
		    !sd_json_variant_by_key(head, "preferredHeight") ||
	    (!sd_json_variant_by_key(head, "preferredWidth") &&
	     sd_json_variant_by_key(object, "width")))
		return vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: a mode is 'preferredWidth' and 'preferredHeight' ('width' and 'height' are what a guest shows)",
			where);
	*ret = vgpu_steal(&head);
	return 0;
}

static int parse_heads(const char *where, sd_json_variant *array,
		       sd_json_variant **ret, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *heads = NULL;
	vgpu_autofree char *which = NULL;
	int r;

	if (sd_json_variant_new_array(&heads, NULL, 0) < 0)
		return out_of_memory(err);
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		ctl_autojson sd_json_variant *head = NULL;

		free(which);
		if (asprintf(&which, "%s: heads[%zu]", where, i) < 0) {
			which = NULL;
			return out_of_memory(err);
		}
		r = parse_head(which, sd_json_variant_by_index(array, i), &head,
			       err);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (sd_json_variant_unsigned(sd_json_variant_by_key(
				    sd_json_variant_by_index(heads, j), "head")) ==
			    sd_json_variant_unsigned(
				    sd_json_variant_by_key(head, "head")))
				return vgpu_err_set(err, -EINVAL, NULL,
						    "%s: that head comes twice",
						    which);
		if (sd_json_variant_append_array(&heads, head) < 0)
			return out_of_memory(err);
	}
	*ret = vgpu_steal(&heads);
	return 0;
}

static int parse_state(const char *where, const char *state,
		       struct ctl_wanted *wanted, struct vgpu_err *err)
{
	/* One that failed was to run. */
	static const char *const started[] = {"active", "attached", "failed"};

	wanted->has_state = true;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(started); i++)
		wanted->is_started |= strcmp(state, started[i]) == 0;
	if (!wanted->is_started && strcmp(state, "defined") != 0)
		return vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: 'state' is 'active' or 'defined' (or 'attached' or 'failed', which are taken for active)",
			where);
	return 0;
}

static int take_field(const char *where, size_t i, sd_json_variant *value,
		      struct ctl_wanted *wanted, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *heads = NULL;
	const char *key = fields[i].key;
	int r;

	r = check_kind(where, key, fields[i].kind, value, err);
	if (r == 0 && strcmp(key, "state") == 0)
		r = parse_state(where, sd_json_variant_string(value), wanted,
				err);
	if (r == 0 && fields[i].kind == HEADS) {
		r = parse_heads(where, value, &heads, err);
		value = heads;
	}
	if (r < 0 || !fields[i].is_definition)
		return r;
	r = sd_json_variant_set_field(&wanted->definition, key, value);
	return r < 0 ? out_of_memory(err) : 0;
}

static int take_fields(const char *where, sd_json_variant *object,
		       struct ctl_wanted *wanted, struct vgpu_err *err)
{
	uint64_t seen = 0;
	int r;

	for (size_t i = 0; i + 1 < sd_json_variant_elements(object); i += 2) {
		const char *key = sd_json_variant_string(
			sd_json_variant_by_index(object, i));
		sd_json_variant *value = sd_json_variant_by_index(object, i + 1);
		size_t j = 0;

		while (j < VGPU_ARRAY_SIZE(fields) &&
		       strcmp(fields[j].key, key) != 0)
			j++;
		if (j == VGPU_ARRAY_SIZE(fields))
			return vgpu_err_set(err, -EINVAL, NULL,
					    "%s: there is no field '%s' of a vGPU",
					    where, key);
		r = check_once(where, key, j, &seen, err);
		if (r == 0 && !sd_json_variant_is_null(value))
			r = take_field(where, j, value, wanted, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_false(sd_json_variant *object, const char *key)
{
	sd_json_variant *v = sd_json_variant_by_key(object, key);

	return sd_json_variant_is_boolean(v) && !sd_json_variant_boolean(v);
}

int ctl_wanted_parse(const char *where, sd_json_variant *object,
		     struct ctl_wanted *ret, struct vgpu_err *err)
{
	struct ctl_wanted wanted = {};
	int r;

	if (!sd_json_variant_is_object(object))
		return vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: a vGPU is an object, as 'vgpuctl show --json' prints it",
			where);
	r = take_fields(where, object, &wanted, err);
	if (r == 0 && ctl_json_is_true(object, "foreign"))
		r = vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: others made that vGPU ('foreign'): it cannot be defined",
			where);
	if (r == 0 && !sd_json_variant_by_key(wanted.definition, "type"))
		r = vgpu_err_set(err, -EINVAL, NULL, "%s: 'type' is missing",
				 where);
	/* Where it happens to be is not where it must be. */
	if (r == 0 && is_false(object, "pinned") &&
	    sd_json_variant_filter(&wanted.definition,
				   (char *[]){(char *)"placement", NULL}) < 0)
		r = out_of_memory(err);
	/* A virtual function's heads are told by their number only. */
	if (r == 0 &&
	    sd_json_variant_elements(
		    sd_json_variant_by_key(wanted.definition, "heads")) == 0 &&
	    sd_json_variant_filter(&wanted.definition,
				   (char *[]){(char *)"heads", NULL}) < 0)
		r = out_of_memory(err);
	if (r < 0) {
		ctl_wanted_finish(&wanted);
		return r;
	}
	*ret = wanted;
	return 0;
}

void ctl_wanted_set_finish(struct ctl_wanted_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		ctl_wanted_finish(&set->vgpus[i]);
	free(set->vgpus);
	sd_json_variant_unref(set->gpus);
	*set = (struct ctl_wanted_set){};
}

struct ctl_wanted *ctl_wanted_add(struct ctl_wanted_set *set)
{
	struct ctl_wanted *more;

	if (set->count == CTL_WANTED_MAX)
		return NULL;
	more = reallocarray(set->vgpus, set->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	set->vgpus = more;
	more += set->count++;
	*more = (struct ctl_wanted){};
	return more;
}

/* Neither a name nor a uuid may be that of two. */
static int check_unique(const char *where, const struct ctl_wanted_set *set,
			const char *key, struct vgpu_err *err)
{
	for (size_t i = 0; i < set->count; i++) {
		const char *mine = ctl_json_string(set->vgpus[i].definition, key);

		for (size_t j = 0; mine && mine[0] && j < i; j++) {
			const char *other =
				ctl_json_string(set->vgpus[j].definition, key);

			if (other && strcasecmp(mine, other) == 0 &&
			    (strcmp(key, "uuid") == 0 || strcmp(mine, other) == 0))
				return vgpu_err_set(
					err, -EINVAL, NULL,
					"%s: vgpus[%zu] and vgpus[%zu] have the same %s, '%s'",
					where, j, i, key, mine);
		}
	}
	return 0;
}

static int parse_array(const char *where, sd_json_variant *array,
		       struct ctl_wanted_set *set, struct vgpu_err *err)
{
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *object = sd_json_variant_by_index(array, i);
		vgpu_autofree char *which = NULL;
		struct ctl_wanted *wanted;
		int r;

		/* In what 'vgpuctl list' prints: it is not ours to want. */
		if (ctl_json_is_true(object, "foreign"))
			continue;
		wanted = ctl_wanted_add(set);
		if (!wanted || asprintf(&which, "%s: vgpus[%zu]", where, i) < 0) {
			which = NULL;
			return out_of_memory(err);
		}
		r = ctl_wanted_parse(which, object, wanted, err);
		if (r < 0)
			return r;
	}
	if (check_unique(where, set, "uuid", err) < 0 ||
	    check_unique(where, set, "name", err) < 0)
		return -EINVAL;
	return 0;
}

/* {"version": 1, "vgpus": [...]} */
static int parse_document(const char *where, sd_json_variant *value,
			  struct ctl_wanted_set *set, struct vgpu_err *err)
{
	sd_json_variant *version = NULL, *vgpus = NULL;

	for (size_t i = 0; i + 1 < sd_json_variant_elements(value); i += 2) {
		const char *key = sd_json_variant_string(
			sd_json_variant_by_index(value, i));
		sd_json_variant **slot = strcmp(key, "version") == 0 ? &version
					 : strcmp(key, "vgpus") == 0 ? &vgpus
								     : NULL;

		if (!slot)
			return vgpu_err_set(
				err, -EINVAL, NULL,
				"%s: there is no field '%s': there are 'version' and 'vgpus'",
				where, key);
		if (*slot)
			return vgpu_err_set(err, -EINVAL, NULL,
					    "%s: '%s' comes twice", where, key);
		*slot = sd_json_variant_by_index(value, i + 1);
	}
	if (!sd_json_variant_is_unsigned(version) ||
	    sd_json_variant_unsigned(version) != 1)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s: 'version' must be 1", where);
	if (!sd_json_variant_is_array(vgpus))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s: 'vgpus' must be an array", where);
	return parse_array(where, vgpus, set, err);
}

int ctl_wanted_parse_all(const char *where, sd_json_variant *value,
			 const char *config, sd_json_variant *gpus,
			 sd_json_variant *types, struct ctl_wanted_set *ret,
			 struct vgpu_err *err)
{
	struct ctl_wanted_set set = {};
	int r;

	if (ctl_wanted_is_config(value))
		r = ctl_wanted_parse_config(where, value, config, gpus, types,
					    &set, err);
	else if (config)
		r = vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: it has no configurations ('vgpu-configs') of which --config could choose one",
			where);
	else if (sd_json_variant_is_array(value))
		r = parse_array(where, value, &set, err);
	else if (sd_json_variant_is_object(value))
		r = parse_document(where, value, &set, err);
	else
		r = vgpu_err_set(
			err, -EINVAL, NULL,
			"%s: it is {\"version\": 1, \"vgpus\": [...]}, or an array of vGPUs",
			where);
	if (r < 0) {
		ctl_wanted_set_finish(&set);
		return r;
	}
	*ret = set;
	return 0;
}

static int read_file(const char *path, char **ret, struct vgpu_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	vgpu_autofree char *text = malloc(FILE_MAX + 2);
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	size_t n;
	bool is_bad;

	if (!text) {
		if (f && !is_stdin)
			fclose(f);
		return out_of_memory(err);
	}
	if (!f)
		return vgpu_err_set(err, -errno, NULL, "cannot read %s: %s",
				    path, strerror(errno));
	n = fread(text, 1, FILE_MAX + 1, f);
	is_bad = ferror(f);
	if (!is_stdin)
		fclose(f);
	if (is_bad)
		return vgpu_err_set(err, -EIO, NULL, "cannot read %s: %s", path,
				    strerror(EIO));
	if (n > FILE_MAX)
		return vgpu_err_set(
			err, -EFBIG, NULL,
			"%s has more than %d KiB: it describes no vGPUs", path,
			FILE_MAX / 1024);
	text[n] = '\0';
	if (strlen(text) != n)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s has a NUL byte: it is no text", path);
	*ret = vgpu_steal(&text);
	return 0;
}

int ctl_wanted_read(const char *path, sd_json_variant **ret, struct vgpu_err *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	vgpu_autofree char *text = NULL;
	unsigned int line = 0, column = 0;
	const char *first;
	int r;

	r = read_file(path, &text, err);
	if (r < 0)
		return r;
	first = text + strspn(text, " \t\r\n");
	if (*first && *first != '{' && *first != '[')
		return ctl_yaml_parse(name, text, ret, err);
	r = sd_json_parse(text, 0, ret, &line, &column);
	if (r == -ENOMEM)
		return out_of_memory(err);
	if (r < 0)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s:%u:%u: it is not valid JSON", name,
				    line, column);
	return 0;
}
