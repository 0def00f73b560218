/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's configuration file. */
#include "config.h"

#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "manager/host/group.h"
#include "lib/util.h"
#include "manager/host/text.h"
#include "manager/host/memory.h"

/*
 * Without a configuration: a third of the memory, but no more than this;
 * nothing where the embedded GPU was not built.
 */
#define DEFAULT_MIB_MAX 8192
/* Far above any machine; keeps sums of bytes within 64 bits. */
#define FRAMEBUFFER_MIB_MAX (64ULL * 1024 * 1024)

struct parse {
	struct vgpu_config *config;
	char problem[160];
	int line;
};

static int parse_mib(struct parse *parse, const char *name, const char *value,
		     uint64_t *ret)
{
	char quoted[VGPU_QUOTED_SIZE];
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno ||
	    number > FRAMEBUFFER_MIB_MAX) {
		snprintf(parse->problem, sizeof(parse->problem),
			 "%s is a number of MiB from 0 to %llu, not '%s'", name,
			 FRAMEBUFFER_MIB_MAX, vgpu_text_quote(quoted, value));
		return 0;
	}
	*ret = number;
	return 1;
}

static int parse_scheduler(struct parse *parse, const char *value)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (vgpu_scheduler_parse(value, &parse->config->scheduling.scheduler))
		return 1;
	snprintf(parse->problem, sizeof(parse->problem),
		 "scheduler is best-effort, equal-share or fixed-share, not '%s'",
		 vgpu_text_quote(quoted, value));
	return 0;
}

static int parse_time_slice(struct parse *parse, const char *value)
{
	char quoted[VGPU_QUOTED_SIZE];
	unsigned long number;
	char *end;

	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number < 1 ||
	    number > VGPU_TIME_SLICE_MS_MAX) {
		snprintf(parse->problem, sizeof(parse->problem),
			 "time_slice_ms is a number from 1 to %d, not '%s'",
			 VGPU_TIME_SLICE_MS_MAX, vgpu_text_quote(quoted, value));
		return 0;
	}
	parse->config->scheduling.time_slice_ms = (uint32_t)number;
	return 1;
}

static bool is_parent(const char *value)
{
	unsigned int domain, bus, device, function;
	int end = 0;

	if (strcmp(value, VGPU_MDEV_PARENT) == 0)
		return true;
	return sscanf(value, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device,
		      &function, &end) == 4 &&
	       end == (int)strlen("0000:00:00.0") && !value[end];
}

static int parse_group(struct parse *parse, const char *name, const char *value,
		       uint32_t *ret)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (vgpu_group_parse(value, ret))
		return 1;
	snprintf(parse->problem, sizeof(parse->problem),
		 "%s is a group, by name or number, and there is no '%s'", name,
		 vgpu_text_quote(quoted, value));
	return 0;
}

static int parse_parent(struct parse *parse, const char *value)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (is_parent(value) && VGPU_TEXT_SET(parse->config->mdev_parent, value))
		return 1;
	snprintf(parse->problem, sizeof(parse->problem),
		 "parent is a PCI device's address as 0000:03:00.0, or vgpud, not '%s'",
		 vgpu_text_quote(quoted, value));
	return 0;
}

static int on_entry(void *user, const char *section, const char *name,
		    const char *value)
{
	struct parse *parse = user;
	char quoted[VGPU_QUOTED_SIZE];

	if (strcmp(section, "embedded") == 0) {
		if (strcmp(name, "framebuffer_mib") == 0)
			return parse_mib(parse, name, value,
					 &parse->config->embedded_wanted_mib);
		if (strcmp(name, "host_reserve_mib") == 0)
			return parse_mib(parse, name, value,
					 &parse->config->embedded_reserve_mib);
		if (strcmp(name, "scheduler") == 0)
			return parse_scheduler(parse, value);
		if (strcmp(name, "time_slice_ms") == 0)
			return parse_time_slice(parse, value);
	}
	if (strcmp(section, "mdev") == 0 && strcmp(name, "parent") == 0)
		return parse_parent(parse, value);
	if (strcmp(section, "access") == 0) {
		if (strcmp(name, "managers") == 0)
			return parse_group(parse, name, value,
					   &parse->config->managers);
		if (strcmp(name, "users") == 0)
			return parse_group(parse, name, value,
					   &parse->config->users);
		if (strcmp(name, "watchers") == 0)
			return parse_group(parse, name, value,
					   &parse->config->watchers);
	}
	if (!parse->problem[0])
		snprintf(parse->problem, sizeof(parse->problem),
			 "there is no setting of the name '%s' in section [%s]",
			 vgpu_text_quote(quoted, name),
			 strcmp(section, "embedded") == 0 ||
					 strcmp(section, "access") == 0 ||
					 strcmp(section, "mdev") == 0
				 ? section
				 : "?");
	return 0;
}

static void set_defaults(struct vgpu_config *config)
{
	uint64_t third = vgpu_memory_total() / VGPU_MIB / 3;
	uint64_t mib = VGPU_WITH_EMBEDDED ? VGPU_MIN(third, DEFAULT_MIB_MAX) : 0;

	*config = (struct vgpu_config){
		.embedded_mib = mib,
		.embedded_wanted_mib = mib,
		.scheduling.time_slice_ms = VGPU_TIME_SLICE_MS_DEFAULT,
	};
}

int vgpu_config_load(const char *path, struct vgpu_config *ret_config,
		     struct vgpu_err *err)
{
	const char *name = path ? path : VGPU_CONFIG_PATH;
	vgpu_autofclose FILE *file = NULL;
	struct vgpu_config config;
	struct parse parse = {.config = &config};
	int r;

	set_defaults(&config);
	file = fopen(name, "re");
	if (!file && !path && errno == ENOENT) {
		*ret_config = config;
		return 0;
	}
	if (!file)
		return vgpu_err_set(err, -errno, "Internal",
				    "%s cannot be read: %s", name,
				    strerror(errno));

	r = ini_parse_file(file, on_entry, &parse);
	if (r != 0)
		return vgpu_err_set(err, -EINVAL, "Internal", "%s, line %d: %s",
				    name, VGPU_MAX(r, 0),
				    parse.problem[0] ? parse.problem : "not INI");
	/* Do not offer more than the machine has. */
	config.embedded_mib = VGPU_MIN(config.embedded_wanted_mib,
				       vgpu_memory_total() / VGPU_MIB);
	if (config.embedded_reserve_mib > config.embedded_mib)
		return vgpu_err_set(
			err, -EINVAL, "Internal",
			"%s: host_reserve_mib is more than framebuffer_mib",
			name);
	*ret_config = config;
	return 0;
}
