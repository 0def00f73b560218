/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Total and available memory, of the machine and of the control group. */
#include "memory.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "lib/util.h"
#include "text.h"

static uint64_t meminfo(const char *key, uint64_t fallback)
{
	vgpu_autofclose FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib;

	while (f && fgets(line, sizeof(line), f)) {
		size_t n = strlen(key);

		if (strncmp(line, key, n) == 0 && line[n] == ':' &&
		    sscanf(line + n + 1, "%" SCNu64, &kib) == 1)
			return kib * 1024;
	}
	return fallback;
}

static FILE *open_group_file(const char *group, const char *name)
{
	vgpu_autofree char *path = NULL;

	if (asprintf(&path, "/sys/fs/cgroup%s/%s", group, name) < 0) {
		path = NULL;
		return NULL;
	}
	return fopen(path, "re");
}

/* The number in a file of a control group, UINT64_MAX for "max" or none. */
static uint64_t group_number(const char *group, const char *name)
{
	vgpu_autofclose FILE *f = open_group_file(group, name);
	uint64_t value;

	if (!f || fscanf(f, "%" SCNu64, &value) != 1)
		return UINT64_MAX;
	return value;
}

/* What a group uses without its file cache, which yields to new memory. */
static uint64_t group_use(const char *group)
{
	vgpu_autofclose FILE *f = open_group_file(group, "memory.stat");
	uint64_t use = group_number(group, "memory.current");
	char key[64];
	uint64_t value;

	if (use == UINT64_MAX)
		return 0;
	while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2) {
		if (strcmp(key, "inactive_file") == 0 ||
		    strcmp(key, "active_file") == 0)
			use -= VGPU_MIN(use, value);
	}
	return use;
}

/* The group of this process (cgroup v2), with no '/' at its end. */
static bool own_group(char ret[PATH_MAX])
{
	vgpu_autofclose FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		vgpu_text_copy(ret, PATH_MAX,
			       strcmp(line, "0::/") == 0 ? "" : line + 3);
		return true;
	}
	return false;
}

/* The least limit of the group and all above it, less their use if asked. */
static uint64_t group_least(bool is_less_use)
{
	uint64_t least = UINT64_MAX;
	char group[PATH_MAX];

	if (!own_group(group))
		return least;
	for (;;) {
		uint64_t limit = group_number(group, "memory.max");
		char *last = strrchr(group, '/');

		if (limit != UINT64_MAX && is_less_use)
			limit -= VGPU_MIN(limit, group_use(group));
		least = VGPU_MIN(least, limit);
		if (!last)
			return least;
		*last = '\0';
	}
}

uint64_t vgpu_memory_total(void)
{
	return VGPU_MIN(meminfo("MemTotal", 0), group_least(false));
}

uint64_t vgpu_memory_available(void)
{
	return VGPU_MIN(meminfo("MemAvailable", UINT64_MAX), group_least(true));
}
