/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether AppArmor lets libvirt's virtual machines connect to vGPUs. */
#include "ctl/doctor/apparmor.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

#define SOCKETS "/run/vgpu/"

bool ctl_apparmor_is_enabled(void)
{
	vgpu_autofclose FILE *f =
		fopen("/sys/module/apparmor/parameters/enabled", "re");

	return f && fgetc(f) == 'Y';
}

static bool has_rule(const char *folder, const char *name)
{
	vgpu_autofree char *path = NULL;
	vgpu_autofclose FILE *f = NULL;
	char line[1024];

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return false;
	}
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *rule = line + strspn(line, " \t");

		if (*rule != '#' && strstr(rule, SOCKETS))
			return true;
	}
	return false;
}

static bool some_has_rule(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' &&
			has_rule(folder, entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

bool ctl_apparmor_allows_qemu(const char *folder)
{
	vgpu_autofree char *more = NULL;

	if (asprintf(&more, "%s/abstractions/libvirt-qemu.d", folder) < 0) {
		more = NULL;
		return false;
	}
	return some_has_rule(more) ||
	       has_rule(folder, "abstractions/libvirt-qemu") ||
	       has_rule(folder, "local/abstractions/libvirt-qemu");
}
