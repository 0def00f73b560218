/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration files of NVIDIA's vGPU Device Manager. */
#include "ctl/plan/wanted.h"

#include <errno.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "lib/util.h"

#define CONFIGS "vgpu-configs"

struct context {
	const char *where;
	sd_json_variant *gpus;
	sd_json_variant *types;
	struct ctl_wanted_set *set;
	struct vgpu_err *err;
};

static int out_of_memory(const struct context *c)
{
	return vgpu_err_set(c->err, -ENOMEM, NULL, "out of memory");
}

bool ctl_wanted_is_config(sd_json_variant *value)
{
	return sd_json_variant_is_object(value) &&
	       sd_json_variant_by_key(value, CONFIGS);
}

/*
 * Store the fields of @object in @slots. Each may appear once; others are
 * refused.
 */
static int take_members(const struct context *c, const char *what,
			sd_json_variant *object, const char *const *keys,
			sd_json_variant **slots)
{
	if (!sd_json_variant_is_object(object))
		return vgpu_err_set(c->err, -EINVAL, NULL,
				    "%s: %s is no mapping", c->where, what);
	for (size_t i = 0; i + 1 < sd_json_variant_elements(object); i += 2) {
		const char *key = sd_json_variant_string(
			sd_json_variant_by_index(object, i));
		size_t j = 0;

		while (keys[j] && strcmp(keys[j], key) != 0)
			j++;
		if (!keys[j])
			return vgpu_err_set(c->err, -EINVAL, NULL,
					    "%s: %s has no field '%s'",
					    c->where, what, key);
		if (slots[j])
			return vgpu_err_set(c->err, -EINVAL, NULL,
					    "%s: %s: '%s' comes twice",
					    c->where, what, key);
		slots[j] = sd_json_variant_by_index(object, i + 1);
	}
	return 0;
}

static int choose_config(const struct context *c, sd_json_variant *configs,
			 const char *config, sd_json_variant **ret)
{
	sd_json_variant *found = NULL;
	size_t count;

	if (!sd_json_variant_is_object(configs) ||
	    sd_json_variant_elements(configs) == 0)
		return vgpu_err_set(c->err, -EINVAL, NULL,
				    "%s: " CONFIGS " has no configuration",
				    c->where);
	count = sd_json_variant_elements(configs) / 2;
	if (!config && count > 1)
		return vgpu_err_set(
			c->err, -EINVAL, NULL,
			"%s has %zu configurations: choose one with --config, '%s' for instance",
			c->where, count,
			sd_json_variant_string(
				sd_json_variant_by_index(configs, 0)));
	for (size_t i = 0; i < count; i++) {
		const char *name = sd_json_variant_string(
			sd_json_variant_by_index(configs, i * 2));

		if (config && strcmp(config, name) != 0)
			continue;
		if (found)
			return vgpu_err_set(
				c->err, -EINVAL, NULL,
				"%s: the configuration '%s' comes twice",
				c->where, name);
		found = sd_json_variant_by_index(configs, i * 2 + 1);
	}
	if (!found)
		return vgpu_err_set(c->err, -ENOENT, NULL,
				    "%s has no configuration '%s'", c->where,
				    config);
	if (!sd_json_variant_is_array(found) ||
	    sd_json_variant_elements(found) == 0)
		return vgpu_err_set(
			c->err, -EINVAL, NULL,
			"%s: a configuration is a list of 'devices' and 'vgpu-devices'",
			c->where);
	*ret = found;
	return 0;
}

static bool has_type(const struct context *c, const char *gpu, const char *type)
{
	for (size_t i = 0; i < sd_json_variant_elements(c->types); i++) {
		sd_json_variant *t = sd_json_variant_by_index(c->types, i);
		const char *name = ctl_json_string(t, "type");
		const char *of = ctl_json_string(t, "gpu");

		if (name && of && strcmp(name, type) == 0 && strcmp(of, gpu) == 0)
			return true;
	}
	return false;
}

/* The name of the type on @gpu: "A40-4Q" is 4Q here. NULL if it has none. */
static const char *find_type(const struct context *c, const char *gpu,
			     const char *type)
{
	const char *end = strrchr(type, '-');

	if (has_type(c, gpu, type))
		return type;
	return end && has_type(c, gpu, end + 1) ? end + 1 : NULL;
}

static int add_vgpus(const struct context *c, const char *gpu, const char *type,
		     uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct ctl_wanted *wanted = ctl_wanted_add(c->set);

		if (!wanted ||
		    sd_json_variant_set_field_string(&wanted->definition,
						     "type", type) < 0 ||
		    sd_json_variant_set_field_string(&wanted->definition, "gpu",
						     gpu) < 0)
			return out_of_memory(c);
		wanted->is_started = true;
		wanted->has_state = true;
	}
	return 0;
}

static int add_types(const struct context *c, const char *gpu,
		     sd_json_variant *devices)
{
	for (size_t i = 0; i + 1 < sd_json_variant_elements(devices); i += 2) {
		const char *type = sd_json_variant_string(
			sd_json_variant_by_index(devices, i));
		sd_json_variant *count = sd_json_variant_by_index(devices, i + 1);
		const char *name = find_type(c, gpu, type);
		int r;

		if (!sd_json_variant_is_unsigned(count) ||
		    sd_json_variant_unsigned(count) > CTL_WANTED_MAX)
			return vgpu_err_set(
				c->err, -EINVAL, NULL,
				"%s: of '%s' there must be a number of vGPUs, %d at most",
				c->where, type, CTL_WANTED_MAX);
		if (!name)
			return vgpu_err_set(
				c->err, -ENOENT, NULL,
				"%s: %s has no type '%s': 'vgpuctl types' lists them",
				c->where, gpu, type);
		r = add_vgpus(c, gpu, name, sd_json_variant_unsigned(count));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Note that the file applies to this GPU. */
static int claim_gpu(const struct context *c, sd_json_variant *gpu)
{
	const char *id = ctl_json_string(gpu, "gpu");

	for (size_t i = 0; i < sd_json_variant_elements(c->set->gpus); i++)
		if (strcmp(sd_json_variant_string(
				   sd_json_variant_by_index(c->set->gpus, i)),
			   id) == 0)
			return vgpu_err_set(
				c->err, -EINVAL, NULL,
				"%s: the configuration speaks of the GPU %s twice",
				c->where, id);
	return sd_json_variant_append_arrayb(&c->set->gpus,
					     SD_JSON_BUILD_STRING(id)) < 0
		       ? out_of_memory(c)
		       : 0;
}

static int take_gpu(const struct context *c, sd_json_variant *gpu,
		    sd_json_variant *devices)
{
	int r = claim_gpu(c, gpu);

	return r < 0 ? r : add_types(c, ctl_json_string(gpu, "gpu"), devices);
}

/* Whether vGPUs can be made on it. */
static bool is_usable(sd_json_variant *gpu)
{
	return ctl_json_string(gpu, "gpu") && !ctl_json_string(gpu, "unusable");
}

static int take_all_gpus(const struct context *c, sd_json_variant *devices)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(c->gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(c->gpus, i);

		if (!is_usable(gpu))
			continue;
		n++;
		r = take_gpu(c, gpu, devices);
	}
	if (r == 0 && n == 0)
		r = vgpu_err_set(c->err, -ENODEV, NULL,
				 "%s: no vGPU can be made on any GPU here",
				 c->where);
	return r;
}

static int take_some_gpus(const struct context *c, sd_json_variant *numbers,
			  sd_json_variant *devices)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(numbers); i++) {
		sd_json_variant *n = sd_json_variant_by_index(numbers, i);
		sd_json_variant *gpu = NULL;

		if (sd_json_variant_is_unsigned(n) &&
		    sd_json_variant_unsigned(n) <
			    sd_json_variant_elements(c->gpus))
			gpu = sd_json_variant_by_index(
				c->gpus, (size_t)sd_json_variant_unsigned(n));
		if (!gpu || !ctl_json_string(gpu, "gpu"))
			return vgpu_err_set(
				c->err, -ENODEV, NULL,
				"%s: 'devices' are numbers of GPUs from 0 to %zu, in the order of 'vgpuctl gpus'",
				c->where, sd_json_variant_elements(c->gpus) - 1);
		r = take_gpu(c, gpu, devices);
	}
	return r;
}

static int take_entry(const struct context *c, sd_json_variant *entry)
{
	static const char *const keys[] = {"devices", "vgpu-devices",
					   "device-filter", NULL};
	sd_json_variant *slots[3] = {};
	int r;

	r = take_members(c, "an entry of the configuration", entry, keys, slots);
	if (r < 0)
		return r;
	if (slots[2])
		return vgpu_err_set(
			c->err, -EOPNOTSUPP, NULL,
			"%s: 'device-filter' is not known here: name the GPUs in 'devices'",
			c->where);
	if (!sd_json_variant_is_object(slots[1]))
		return vgpu_err_set(
			c->err, -EINVAL, NULL,
			"%s: 'vgpu-devices' must have numbers of vGPUs by their types",
			c->where);
	if (sd_json_variant_is_string(slots[0]) &&
	    strcmp(sd_json_variant_string(slots[0]), "all") == 0)
		return take_all_gpus(c, slots[1]);
	if (sd_json_variant_is_array(slots[0]))
		return take_some_gpus(c, slots[0], slots[1]);
	return vgpu_err_set(c->err, -EINVAL, NULL,
			    "%s: 'devices' must be 'all' or a list of numbers",
			    c->where);
}

int ctl_wanted_parse_config(const char *where, sd_json_variant *value,
			    const char *config, sd_json_variant *gpus,
			    sd_json_variant *types, struct ctl_wanted_set *set,
			    struct vgpu_err *err)
{
	static const char *const keys[] = {"version", CONFIGS, NULL};
	struct context c = {
		.where = where,
		.gpus = gpus,
		.types = types,
		.set = set,
		.err = err,
	};
	sd_json_variant *slots[2] = {}, *entries = NULL;
	int r;

	r = take_members(&c, "the file", value, keys, slots);
	if (r < 0)
		return r;
	if (!sd_json_variant_is_string(slots[0]) ||
	    strcmp(sd_json_variant_string(slots[0]), "v1") != 0)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%s: its 'version' must be v1", where);
	r = choose_config(&c, slots[1], config, &entries);
	if (r == 0 && sd_json_variant_new_array(&set->gpus, NULL, 0) < 0)
		r = out_of_memory(&c);
	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(entries); i++)
		r = take_entry(&c, sd_json_variant_by_index(entries, i));
	return r;
}
